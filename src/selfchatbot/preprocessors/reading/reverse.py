"""Reverses exports that are written newest first, without keeping them in memory."""

import json
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import IO, Any

BLOCK_ROWS = 50_000
"""Rows in memory at the same time. The others are in a temporary file without a name."""

Row = tuple[Any, ...]
"""Values that JSON knows."""


def oldest_first(rows: Iterable[Row]) -> Iterator[Row]:
    """``rows`` from the last to the first."""
    block: list[Row] = []
    starts: list[int] = []
    with TemporaryFile() as file:
        for row in rows:
            if len(block) == BLOCK_ROWS:
                starts.append(file.tell())
                file.writelines(json.dumps(earlier).encode() + b"\n" for earlier in block)
                block = []
            block.append(row)
        yield from reversed(block)
        for start in reversed(starts):
            yield from reversed(list(_block(file, start)))


def _block(file: IO[bytes], start: int) -> Iterator[Row]:
    file.seek(start)
    for _ in range(BLOCK_ROWS):
        yield tuple(json.loads(file.readline()))
