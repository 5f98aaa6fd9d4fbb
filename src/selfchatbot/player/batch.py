"""One reply to each of many conversations at once: for measuring how the model talks, not for talking to it."""

import inspect
import math
import time
from copy import deepcopy
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.player.candidates import Drawn
from selfchatbot.player.engine import Sampling
from selfchatbot.player.key_value_cache import argument, new_cache
from selfchatbot.player.transformers_engine import choose

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
        device = logits.device
        generator = torch.Generator(device=device)
        generator.manual_seed(sampling.seed or 0)
        never = torch.tensor(sorted(sampling.never), dtype=torch.long, device=device)
        said = torch.zeros_like(logits, dtype=torch.bool)
        replies = [Drawn([], []) for _ in range(logits.shape[0])]
        rows = list(range(logits.shape[0]))
        for number in range(sampling.max_new_tokens):
            if time.monotonic() > until:
                raise TimeoutError
            totals = logits.logsumexp(-1)
            logits[:, never] = -torch.inf
            if number == 0 and not sampling.may_be_empty:
                logits[:, sampling.end] = -torch.inf
            chosen = choose(logits, said, sampling, generator)
            told = logits.gather(-1, chosen[:, None])[:, 0] - totals
            for row, token, log_probability in zip(rows, chosen.tolist(), told.tolist(), strict=True):
                replies[row].log_probabilities.append(log_probability)
                if token != sampling.end:
                    replies[row].ids.append(token)
            said.scatter_(1, chosen[:, None], True)
            if (left := (chosen != sampling.end).nonzero()[:, 0]).numel() == 0:
                break
            if left.numel() < len(rows):  # what has ended costs no more
                cache.batch_select_indices(left)
                chosen, said, mask = chosen[left], said[left], mask[left]
                rows = [rows[index] for index in left.tolist()]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            logits = self._forward(chosen[:, None], mask, cache)
        return replies

    def _forward(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        options: dict[str, Any] = {self._argument: cache}
        if self._has_positions:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -tokens.shape[1] :]
        output = self._model(input_ids=tokens, attention_mask=mask, use_cache=True, logits_to_keep=1, **options)
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits
