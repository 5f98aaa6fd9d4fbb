"""How probable a model finds given words: natural logarithms, summed over tokens."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import IGNORED, Window
from selfchatbot.player.engines.kv_cache import argument, new_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS = 512
"""Padded tokens in one forward pass: on a CPU more gain nothing, and their logits would need much memory."""
PASS_TOKENS = 32
"""A forward pass more takes about as long as so many tokens more in one."""


@torch.inference_mode()
def of_window(model: "PreTrainedModel", window: Window) -> float:
    """Of the labelled tokens of ``window``."""
    labels = torch.tensor(window.labels[1:], device=model.device)
    places = labels.ne(IGNORED).nonzero()[:, 0]
    tokens = torch.tensor([window.input_ids[:-1]], device=model.device)
    logits = model(input_ids=tokens, use_cache=False, logits_to_keep=places).logits[0]
    return -torch.nn.functional.cross_entropy(logits.float(), labels[places], reduction="sum").item()


@torch.inference_mode()
def of_continuations(
    model: "PreTrainedModel", prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Of each of ``continuations`` after ``prompt``, which is read once; none of them may be empty."""
    read, name = new_cache(model.config), argument(model)
    if len(prompt) > 1:
        model(input_ids=torch.tensor([prompt[:-1]], device=model.device), logits_to_keep=1, **{name: read})
    found = [0.0] * len(continuations)
    for rows in _batches([len(continuation) for continuation in continuations]):
        width = len(continuations[rows[0]])
        labels = torch.full((len(rows), width), IGNORED)
        for number, row in enumerate(rows):
            labels[number, : len(continuations[row])] = torch.tensor(continuations[row])
        labels = labels.to(model.device)
        first = torch.full_like(labels[:, :1], prompt[-1])
        cache = deepcopy(read)
        if len(prompt) > 1:
            cache.batch_repeat_interleave(len(rows))
        # Padded at the right, where causal attention never looks: no mask is needed.
        logits = model(input_ids=torch.cat([first, labels[:, :-1].clamp(min=0)], dim=1), **{name: cache}).logits
        there = labels.ne(IGNORED)
        losses = torch.zeros(labels.shape, device=model.device)
        losses[there] = torch.nn.functional.cross_entropy(logits[there].float(), labels[there], reduction="none")
        for row, loss in zip(rows, losses.sum(1).tolist(), strict=True):
            found[row] = -loss
    return found


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Numbers of rows, the longest of each batch first: the cheapest way to divide them, sorted by length.

    A batch costs its tokens, padded, and ``PASS_TOKENS``; more than ``BATCH_TOKENS`` only where one row alone has them.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    costs, starts = [0], [0]  # of the first rows, divided in the cheapest way; where their last batch begins
    for end in range(1, len(order) + 1):
        ways: list[tuple[int, int]] = []
        for start in range(end - 1, -1, -1):
            tokens = lengths[order[start]] * (end - start)
            if ways and tokens > BATCH_TOKENS:
                break
            ways.append((costs[start] + tokens + PASS_TOKENS, start))
        cost, start = min(ways)
        costs.append(cost)
        starts.append(start)
    batches: list[list[int]] = []
    end = len(order)
    while end:
        batches.append(order[starts[end] : end])
        end = starts[end]
    return batches
