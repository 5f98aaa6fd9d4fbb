"""One reply to each of many conversations in one batch: to measure how the model writes, not to talk to it."""

import inspect
import math
import time
from copy import copy, deepcopy
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.player.engines.kv_cache import cache_argument, keeps_everything, new_cache, repeat, select_rows
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.sampling import Sampler
from selfchatbot.player.reply.reranking import Candidate

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Batch:
    """Many prompts that are read once; `replies` may then be called with one sampling after another.

    ``prompts`` are token ids, none of them empty. A prompt and its reply must fit into the model's window.
    ``bare_prompts`` are the same without the conversations, for a sampling with guidance.
    """

    def __init__(
        self, model: "PreTrainedModel", prompts: list[list[int]], bare_prompts: list[list[int]] | None = None
    ) -> None:
        self._read = _Rows(model, prompts)
        self._bare = None if bare_prompts is None else _Rows(model, bare_prompts)

    @torch.inference_mode()
    def replies(self, sampling: Sampling, until: float = math.inf, *, last: bool = False) -> list[Candidate]:
        """One reply to each prompt. The ``last`` call uses up the cache of the prompts instead of copying it.

        Raises TimeoutError when they are not complete at ``until``, a time of `time.monotonic`.
        """
        rows = self._read if last else self._read.copy()
        bare = self._bare.copy() if self._bare is not None and sampling.guidance else None
        generator = torch.Generator(device=rows.logits.device)
        generator.manual_seed(sampling.seed or 0)
        replies = [Candidate() for _ in range(rows.logits.shape[0])]
        sampler = Sampler(rows.logits, sampling, generator)
        while True:
            if time.monotonic() > until:
                raise TimeoutError
            for token in sampler.step(rows.logits, None if bare is None else bare.logits):
                replies[token.candidate].add(token.id, token.log_probability, sampling.end)
            if (running := sampler.running()) is None:
                return replies
            rows.advance(running, sampler.last)
            if bare is not None:
                bare.advance(running, sampler.last)


class _Rows:
    """Sequences that are read together, padded on the left."""

    @torch.inference_mode()
    def __init__(self, model: "PreTrainedModel", prompts: list[list[int]]) -> None:
        self._model = model
        self._cache_argument = cache_argument(model)
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._cache = new_cache(model.config)
        # A common beginning, such as a system message, is read once; the last token of each prompt stays its own. The
        # padding after it would count in a sliding window and pass through a running state.
        columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        shared = shared if keeps_everything(self._cache) else 0
        if shared:
            beginning = torch.tensor([prompts[0][:shared]], device=model.device)
            self._mask = torch.ones_like(beginning)
            self._forward(beginning)
            repeat(self._cache, len(prompts), model.device)
        longest = max(map(len, prompts))
        padded = [[0] * (longest - len(prompt)) + prompt[shared:] for prompt in prompts]
        mask = [[1] * shared + [0] * (longest - len(prompt)) + [1] * (len(prompt) - shared) for prompt in prompts]
        self._mask = torch.tensor(mask, device=model.device)
        self.logits = self._forward(torch.tensor(padded, device=model.device))
        """Of the next token, shape (rows, vocabulary)."""

    def copy(self) -> "_Rows":
        """Another reading that can go on by itself."""
        other = copy(self)
        other._cache, other.logits = deepcopy(self._cache), self.logits.clone()
        return other

    def advance(self, rows: torch.Tensor, tokens: torch.Tensor) -> None:
        """Keep ``rows`` and read one of ``tokens`` in each."""
        if rows.numel() < self.logits.shape[0]:
            select_rows(self._cache, rows)
            self._mask = self._mask[rows]
        self._mask = torch.cat([self._mask, self._mask.new_ones(rows.numel(), 1)], dim=1)
        self.logits = self._forward(tokens[:, None])

    def _forward(self, tokens: torch.Tensor) -> torch.Tensor:
        options: dict[str, Any] = {self._cache_argument: self._cache}
        if self._takes_positions:
            positions = (self._mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -tokens.shape[1] :]
        output = self._model(input_ids=tokens, attention_mask=self._mask, use_cache=True, logits_to_keep=1, **options)
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits
