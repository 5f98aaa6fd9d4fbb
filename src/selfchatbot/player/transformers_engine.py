"""The engine that is always there: any causal model of transformers on any device."""

from collections.abc import Generator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.player.engine import Sampling, Token
from selfchatbot.player.key_value_cache import argument, new_cache
from selfchatbot.player.likelihood import of_continuations

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LIKELIEST = 1_024
"""Tokens that are sorted first to find the likeliest of a total probability."""


class TransformersEngine:
    """A loop over the model's forward pass, with one key-value cache that lives as long as the engine."""

    def __init__(self, model: "PreTrainedModel", window: int) -> None:
        self.window = window
        self._model = model
        self._argument = argument(model)
        self._read: list[int] = []
        """The tokens whose keys and values are in the cache."""
        self._cache: Any = None

    @torch.inference_mode()
    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        logits = self._prefill(prompt)
        generator = torch.Generator(device=logits.device)
        if sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(sampling.seed)
        if count == 1:
            yield from self._continue(logits, self._cache, sampling, generator, self._read)
        else:
            cache = deepcopy(self._cache)
            cache.batch_repeat_interleave(count)
            yield from self._continue(logits.repeat(count, 1), cache, sampling, generator, None)

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        return of_continuations(self._model, prompt, continuations)

    def _prefill(self, prompt: list[int]) -> torch.Tensor:
        """Read what is new in ``prompt``; logits of the next token, shape (1, vocabulary)."""
        same = 0
        # The last token is always read anew: its logits are what is wanted.
        while same < min(len(self._read), len(prompt) - 1) and self._read[same] == prompt[same]:
            same += 1
        if self._cache is None or not _cropped(self._cache, same, len(self._read)):
            self._cache, same = new_cache(self._model.config), 0
        # Ctrl-C in the middle of a forward pass leaves layers of different length: what is read counts when it is done.
        self._read = []
        tokens = torch.tensor([prompt[same:]], device=self._model.device)
        logits = self._forward(tokens, self._cache)
        self._read = list(prompt)
        return logits

    def _forward(self, tokens: torch.Tensor, cache: Any) -> torch.Tensor:
        output = self._model(input_ids=tokens, use_cache=True, logits_to_keep=1, **{self._argument: cache})
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _continue(
        self,
        logits: torch.Tensor,
        cache: Any,
        sampling: Sampling,
        generator: torch.Generator,
        read: list[int] | None,
    ) -> Generator[Token, None, None]:
        """Choose and feed tokens until every candidate has ended; ``read`` keeps track of what is in the cache."""
        rows = list(range(logits.shape[0]))
        """The candidate of each row: those that have ended cost no more."""
        never = torch.tensor(sorted(sampling.never), dtype=torch.long, device=logits.device)
        said = torch.zeros_like(logits, dtype=torch.bool)
        for number in range(sampling.max_new_tokens):
            totals = logits.logsumexp(-1)
            logits[:, never] = -torch.inf
            if number == 0 and not sampling.may_be_empty:
                logits[:, sampling.end] = -torch.inf
            chosen = choose(logits, said, sampling, generator)
            told = logits.gather(-1, chosen[:, None])[:, 0] - totals
            for candidate, token, log_probability in zip(rows, chosen.tolist(), told.tolist(), strict=True):
                yield Token(candidate, token, log_probability)
            left = (chosen != sampling.end).nonzero()[:, 0]
            if left.numel() == 0 or number == sampling.max_new_tokens - 1:
                return
            said.scatter_(1, chosen[:, None], True)
            if left.numel() < len(rows):
                cache.batch_select_indices(left)
                chosen, said = chosen[left], said[left]
                rows = [rows[index] for index in left.tolist()]
            logits = self._forward(chosen[:, None], cache)
            if read is not None:
                read.append(int(chosen))


def choose(logits: torch.Tensor, said: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """The next token of each candidate, shape (candidates,), from logits and marks, both (candidates, vocabulary)."""
    if sampling.repetition_penalty != 1:
        penalty = sampling.repetition_penalty
        logits = torch.where(said, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    tokens = None
    if sampling.top_k or sampling.top_p < 1:
        # To sort the whole vocabulary takes as long as a layer of a small model; the likeliest are mostly enough.
        size = min(sampling.top_k or LIKELIEST, logits.shape[-1])
        ordered, tokens = logits.topk(size)
        if sampling.top_p < 1:
            if not sampling.top_k:
                within = (ordered.logsumexp(-1) - logits.logsumexp(-1)).exp()
                if bool((within < sampling.top_p).any()):
                    ordered, tokens = logits.sort(descending=True)
            total = (ordered if sampling.top_k else logits).logsumexp(-1, keepdim=True)
            probabilities = (ordered - total).exp()
            beyond = probabilities.cumsum(-1) - probabilities >= sampling.top_p
            ordered = ordered.masked_fill(beyond, -torch.inf)
        logits = ordered
    # One random number a row: torch.multinomial draws one for every token, which took a tenth of the time.
    cumulative = logits.softmax(-1).cumsum(-1)
    total = cumulative[:, -1:]
    point = torch.rand(total.shape, generator=generator, device=total.device) * total
    drawn = torch.searchsorted(cumulative, torch.minimum(point, total.nextafter(total.new_zeros(()))), right=True)
    return (drawn if tokens is None else tokens.gather(-1, drawn))[:, 0]


def _cropped(cache: Any, length: int, full: int) -> bool:
    """Cut the cache to its first ``length`` tokens; False where a family's cache can't be cut (sliding windows)."""
    if length == 0:
        return False
    if length < full or cache.get_seq_length() != length:
        try:
            cache.crop(length - cache.get_seq_length())
        except (AttributeError, NotImplementedError, RuntimeError, ValueError):
            return False
    return bool(cache.get_seq_length() == length)
