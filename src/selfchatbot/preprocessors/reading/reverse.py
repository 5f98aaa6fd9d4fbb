"""Exports that are written newest first, turned round without holding them in memory."""

import json
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import IO, Any

BLOCK = 50_000
"""Rows in memory at once; what is older waits in a nameless temporary file."""

Row = tuple[Any, ...]
"""Values that JSON knows."""


def oldest_first(rows: Iterable[Row]) -> Iterator[Row]:
    """``rows`` from the last to the first."""
    block: list[Row] = []
    starts: list[int] = []
    with TemporaryFile() as file:
        for row in rows:
            if len(block) == BLOCK:
                starts.append(file.tell())
                file.writelines(json.dumps(waiting).encode() + b"\n" for waiting in block)
                block = []
            block.append(row)
        yield from reversed(block)
        for start in reversed(starts):
            yield from reversed(list(_block(file, start)))


def _block(file: IO[bytes], start: int) -> Iterator[Row]:
    file.seek(start)
    for _ in range(BLOCK):
        yield tuple(json.loads(file.readline()))
