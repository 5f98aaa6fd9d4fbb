"""One reply to each of many conversations at once: for measuring how the model talks, not for talking to it."""

import inspect
import math
import time
from copy import deepcopy
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.player.engines.kv_cache import argument, new_cache
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.sampling import Choosing
from selfchatbot.player.reply.reranking import Drawn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Batch:
    """Many prompts, read once; `replies` may then be called with one sampling after another.

    ``prompts`` holds token ids, each list not empty; they and the longest reply fit into the model's window together.
    """

    @torch.inference_mode()
    def __init__(self, model: "PreTrainedModel", prompts: list[list[int]]) -> None:
        self._model = model
        self._argument = argument(model)
        self._has_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._cache = new_cache(model.config)
        # What all of them begin with, a system message for one, is read once; a last token is always each one's own.
        columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        if shared:
            beginning = torch.tensor([prompts[0][:shared]], device=model.device)
            self._forward(beginning, torch.ones_like(beginning), self._cache)
            self._cache.batch_repeat_interleave(len(prompts))
        longest = max(map(len, prompts))
        padded = [[0] * (longest - len(prompt)) + prompt[shared:] for prompt in prompts]
        mask = [[1] * shared + [0] * (longest - len(prompt)) + [1] * (len(prompt) - shared) for prompt in prompts]
        self._mask = torch.tensor(mask, device=model.device)
        self._logits = self._forward(torch.tensor(padded, device=model.device), self._mask, self._cache)

    @torch.inference_mode()
    def replies(self, sampling: Sampling, until: float = math.inf, *, last: bool = False) -> list[Drawn]:
        """One reply to each prompt; after the ``last`` call, what was read of the prompts is used up.

        Raises TimeoutError when they are not done at ``until``, as `time.monotonic` counts.
        """
        cache = self._cache if last else deepcopy(self._cache)
        mask, logits = self._mask, self._logits.clone()
        generator = torch.Generator(device=logits.device)
        generator.manual_seed(sampling.seed or 0)
        replies = [Drawn([], []) for _ in range(logits.shape[0])]
        choosing = Choosing(logits, sampling, generator)
        while True:
            if time.monotonic() > until:
                raise TimeoutError
            for token in choosing.step(logits):
                replies[token.candidate].log_probabilities.append(token.log_probability)
                if token.id != sampling.end:
                    replies[token.candidate].ids.append(token.id)
            if (left := choosing.left()) is None:
                return replies
            if left.numel() < logits.shape[0]:  # what has ended costs no more
                cache.batch_select_indices(left)
                mask = mask[left]
            mask = torch.cat([mask, mask.new_ones(left.numel(), 1)], dim=1)
            logits = self._forward(choosing.last[:, None], mask, cache)

    def _forward(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        options: dict[str, Any] = {self._argument: cache}
        if self._has_positions:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -tokens.shape[1] :]
        output = self._model(input_ids=tokens, attention_mask=mask, use_cache=True, logits_to_keep=1, **options)
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits
