"""The log-probability that a model gives to a text: of a window, of continuations (nats, summed over tokens)."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import IGNORED, Window
from selfchatbot.player.engines.kv_cache import cache_argument, new_cache, repeat

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS = 512
"""Padded tokens in one forward pass. On a CPU, more are no faster, and their logits would take much memory."""
PASS_TOKENS = 32
"""One more forward pass takes about as long as this many more tokens in one."""


@torch.inference_mode()
def window_log_probability(model: "PreTrainedModel", window: Window) -> float:
    """The log-probability of the labelled tokens of ``window``."""
    labels = torch.tensor(window.labels[1:], device=model.device)
    places = labels.ne(IGNORED).nonzero()[:, 0]
    tokens = torch.tensor([window.input_ids[:-1]], device=model.device)
    logits = model(input_ids=tokens, use_cache=False, logits_to_keep=places).logits[0]
    return -torch.nn.functional.cross_entropy(logits.float(), labels[places], reduction="sum").item()


@torch.inference_mode()
def continuation_log_probabilities(
    model: "PreTrainedModel", prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """The log-probability of each of ``continuations``, which must not be empty, after ``prompt``, read once."""
    prefix, argument = new_cache(model.config), cache_argument(model)
    if len(prompt) > 1:
        model(input_ids=torch.tensor([prompt[:-1]], device=model.device), logits_to_keep=1, **{argument: prefix})
    found = [0.0] * len(continuations)
    for rows in _batches([len(continuation) for continuation in continuations]):
        width = len(continuations[rows[0]])
        labels = torch.full((len(rows), width), IGNORED)
        for number, row in enumerate(rows):
            labels[number, : len(continuations[row])] = torch.tensor(continuations[row])
        labels = labels.to(model.device)
        first = torch.full_like(labels[:, :1], prompt[-1])
        cache = deepcopy(prefix)
        if len(prompt) > 1:
            repeat(cache, len(rows), model.device)
        # Padding is on the right, where causal attention never looks: no mask is needed.
        tokens = torch.cat([first, labels[:, :-1].clamp(min=0)], dim=1)
        logits = model(input_ids=tokens, **{argument: cache}).logits
        labelled = labels.ne(IGNORED)
        losses = torch.zeros(labels.shape, device=model.device)
        losses[labelled] = torch.nn.functional.cross_entropy(
            logits[labelled].float(), labels[labelled], reduction="none"
        )
        for row, loss in zip(rows, losses.sum(1).tolist(), strict=True):
            found[row] = -loss
    return found


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Row numbers in batches, sorted by length, longest first, divided so that the total cost is lowest.

    A batch costs its padded tokens plus ``PASS_TOKENS``. It has at most ``BATCH_TOKENS``, unless one row alone has
    more.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    # For the first n rows: the lowest cost, and where the last batch starts then.
    costs, starts = [0], [0]
    for end in range(1, len(order) + 1):
        options: list[tuple[int, int]] = []
        for start in range(end - 1, -1, -1):
            tokens = lengths[order[start]] * (end - start)
            if options and tokens > BATCH_TOKENS:
                break
            options.append((costs[start] + tokens + PASS_TOKENS, start))
        cost, start = min(options)
        costs.append(cost)
        starts.append(start)
    batches: list[list[int]] = []
    end = len(order)
    while end:
        batches.append(order[starts[end] : end])
        end = starts[end]
    return batches
