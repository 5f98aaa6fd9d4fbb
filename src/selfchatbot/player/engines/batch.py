"""One reply to each of many conversations in one batch: to measure how the model writes, not to talk to it."""

import inspect
import math
import time
from copy import deepcopy
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
    """

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
            self._forward(beginning, torch.ones_like(beginning), self._cache)
            repeat(self._cache, len(prompts), model.device)
        longest = max(map(len, prompts))
        padded = [[0] * (longest - len(prompt)) + prompt[shared:] for prompt in prompts]
        mask = [[1] * shared + [0] * (longest - len(prompt)) + [1] * (len(prompt) - shared) for prompt in prompts]
        self._mask = torch.tensor(mask, device=model.device)
        self._logits = self._forward(torch.tensor(padded, device=model.device), self._mask, self._cache)

    @torch.inference_mode()
    def replies(self, sampling: Sampling, until: float = math.inf, *, last: bool = False) -> list[Candidate]:
        """One reply to each prompt. The ``last`` call uses up the cache of the prompts instead of copying it.

        Raises TimeoutError when they are not complete at ``until``, a time of `time.monotonic`.
        """
        cache = self._cache if last else deepcopy(self._cache)
        mask, logits = self._mask, self._logits.clone()
        generator = torch.Generator(device=logits.device)
        generator.manual_seed(sampling.seed or 0)
        replies = [Candidate() for _ in range(logits.shape[0])]
        sampler = Sampler(logits, sampling, generator)
        while True:
            if time.monotonic() > until:
                raise TimeoutError
            for token in sampler.step(logits):
                replies[token.candidate].add(token.id, token.log_probability, sampling.end)
            if (running := sampler.running()) is None:
                return replies
            if running.numel() < logits.shape[0]:
                select_rows(cache, running)
                mask = mask[running]
            mask = torch.cat([mask, mask.new_ones(running.numel(), 1)], dim=1)
            logits = self._forward(sampler.last[:, None], mask, cache)

    def _forward(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        options: dict[str, Any] = {self._cache_argument: cache}
        if self._takes_positions:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -tokens.shape[1] :]
        output = self._model(input_ids=tokens, attention_mask=mask, use_cache=True, logits_to_keep=1, **options)
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits
