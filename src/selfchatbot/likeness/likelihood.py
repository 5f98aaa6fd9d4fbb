"""How probable a model finds given words: natural logarithms, summed over tokens."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import IGNORED, Window

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS = 512
"""Padded tokens in one forward pass: on a CPU more gain nothing, and their logits would need much memory."""


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
    from transformers import DynamicCache

    read = DynamicCache(config=model.config)
    if len(prompt) > 1:
        model(input_ids=torch.tensor([prompt[:-1]], device=model.device), past_key_values=read, logits_to_keep=1)
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
        logits = model(input_ids=torch.cat([first, labels[:, :-1].clamp(min=0)], dim=1), past_key_values=cache).logits
        losses = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), labels, reduction="none")
        for row, loss in zip(rows, losses.sum(1).tolist(), strict=True):
            found[row] = -loss
    return found


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Numbers of rows of similar length, the longest of each batch first, ``BATCH_TOKENS`` together with padding."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not batches or lengths[batches[-1][0]] * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches
