"""The engine that is always there: any causal model of transformers on any device."""

from collections.abc import Generator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.player.engines.kv_cache import argument, new_cache
from selfchatbot.player.engines.likelihood import of_continuations
from selfchatbot.player.engines.protocol import Sampling, Token
from selfchatbot.player.engines.sampling import Choosing

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
        choosing = Choosing(logits, sampling, generator)
        while True:
            yield from choosing.step(logits)
            if (left := choosing.left()) is None:
                return
            if left.numel() < logits.shape[0]:
                cache.batch_select_indices(left)
            logits = self._forward(choosing.last[:, None], cache)
            if read is not None:
                read.append(int(choosing.last))


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
