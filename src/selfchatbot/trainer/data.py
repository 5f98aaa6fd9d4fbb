"""Batches of training windows with a limited number of tokens and almost no padding."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from selfchatbot.chat_format import IGNORED, Window

if TYPE_CHECKING:
    from datasets import Dataset

Batch = dict[str, torch.Tensor]
"""``input_ids`` and ``labels``, both of shape (windows, longest window), int64, padded on the right; if labels have
different weights, also ``weights`` of that shape, float32. Pairs of windows: (pairs, 2, longest window)."""


def as_dataset(windows: Iterable[Window]) -> "Dataset":
    """Windows as an Arrow table in memory, a few bytes per token: ``input_ids`` and ``labels`` of each window and the
    number of its ``conversation``, all int32."""
    from datasets import Dataset
    from datasets.table import InMemoryTable

    # Flat arrays: the garbage collector would traverse a list for each window again and again.
    ids, labels, ends, conversations = array("i"), array("i"), array("i", [0]), array("i")
    for window in windows:
        ids.fromlist(window.input_ids)
        labels.fromlist(window.labels)
        ends.append(len(ids))
        conversations.append(window.conversation)
    columns = {
        "input_ids": pa.ListArray.from_arrays(np.asarray(ends), np.asarray(ids)),
        "labels": pa.ListArray.from_arrays(np.asarray(ends), np.asarray(labels)),
        "conversation": pa.array(np.asarray(conversations)),
    }
    return Dataset(InMemoryTable(pa.table(columns)))


def counts(windows: "Dataset") -> tuple[list[int], list[int]]:
    """The numbers of tokens and of trained tokens of each window."""
    labels = windows.data.column("labels").combine_chunks()
    offsets = labels.offsets.to_numpy()
    before = np.concatenate([[0], np.cumsum(labels.values.to_numpy() != IGNORED)])
    return np.diff(offsets).tolist(), np.diff(before[offsets]).tolist()


def replies(windows: "Dataset") -> int:
    """The number of trained replies: consecutive labels belong to one reply."""
    trained = windows.data.column("labels").combine_chunks().values.to_numpy() != IGNORED
    return int(np.count_nonzero(trained[1:] & ~trained[:-1]))


class TokenBatches:
    """Batches of windows of similar length, each of at most ``tokens`` tokens with padding.

    Every epoch has the same batches, except for the choice among windows of equal length, in an order drawn from
    ``seed`` and the epoch, so that a run can be repeated.
    """

    def __init__(self, lengths: Sequence[int], tokens: int, seed: int | None) -> None:
        """``seed`` None: ordered by length, without chance."""
        self._lengths = lengths
        self._tokens = tokens
        self._seed = seed
        self._epoch = 0
        self._count = sum(1 for _ in self._batches(range(len(lengths))))

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        if self._seed is None:
            yield from self._batches(range(len(self._lengths)))
            return
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self._lengths), generator=generator).tolist()
        batches = list(self._batches(order))
        for index in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[index]

    def _batches(self, order: Sequence[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        # Longest first: a batch's first window is its width.
        for index in sorted(order, key=lambda index: -self._lengths[index]):
            if batch and self._lengths[batch[0]] * (len(batch) + 1) > self._tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch


def collate(rows: list[dict[str, Any]], width: int = 0) -> Batch:
    """Pad on the right, to at least ``width``, longest window first. Causal attention never sees that padding, so no
    mask is needed."""
    rows = sorted(rows, key=lambda row: -len(row["input_ids"]))
    width = max(width, len(rows[0]["input_ids"]))
    batch = {
        "input_ids": torch.zeros(len(rows), width, dtype=torch.long),
        "labels": torch.full((len(rows), width), IGNORED),
    }
    if "weights" in rows[0]:
        batch["weights"] = torch.zeros(len(rows), width)
    for number, row in enumerate(rows):
        for name, padded in batch.items():
            padded[number, : len(row[name])] = torch.as_tensor(row[name])
    return batch


def rounded_up(length: int, multiple: int, longest: int) -> int:
    """``length`` tokens, padded to a ``multiple`` but not beyond the ``longest`` window."""
    return min(-(-length // multiple) * multiple, longest)


def micro_batches(batch: Batch, tokens: int, ranks: int = 1, multiple: int = 1) -> Iterator[Batch]:
    """Split a batch into parts of at most ``tokens`` tokens for each of ``ranks`` processes, but at least one window
    or pair each, without padding columns that no window of the part needs. Its width is a ``multiple`` if the batch is
    wide enough."""
    *_, longest = batch["labels"].shape
    tokens //= batch["labels"][0, ..., 0].numel()
    lengths = [rounded_up(length, multiple, longest) for length in real_lengths(batch)]
    start = 0
    while start < len(lengths):
        count = ranks * max(1, tokens // max(lengths[start], 1))
        rows = slice(start, start + count)
        width = max(lengths[rows])
        yield {name: values[rows, ..., :width] for name, values in batch.items()}
        start += count


def share(batch: Batch, rank: int, ranks: int) -> Batch:
    """The windows of one process; if there are too few for all, one without labels.

    A window goes to the same process however its batch is split.
    """
    if rank >= len(batch["labels"]):
        return nothing(batch)
    return {name: values[rank::ranks] for name, values in batch.items()}


def label_count(batch: Batch) -> torch.Tensor:
    """The number of trained tokens, as a tensor on the device of ``batch``."""
    return batch["labels"].ne(IGNORED).sum()


def nothing(batch: Batch) -> Batch:
    """Two tokens of a batch, without labels: loss and gradients are zero."""
    few = {name: values[:1, ..., :2] for name, values in batch.items()}
    return few | {"labels": torch.full_like(few["labels"], IGNORED)}


def real_lengths(batch: Batch) -> list[int]:
    """The number of tokens of each window, or longer one of a pair, up to its last trained one: what follows is padding
    or not trained."""
    trained = batch["labels"].ne(IGNORED)
    positions = torch.arange(1, trained.shape[-1] + 1, device=trained.device)
    lengths: list[int] = (trained * positions).flatten(1).amax(dim=1).tolist()
    return lengths
