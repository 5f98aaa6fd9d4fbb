"""What the header of a GGUF file says, checked against the file before a library believes it.

Grammar: ``docs/gguf.md`` of ggml-org/ggml, versions 2 and 3. After ``GGUF``, the version and two counts come keys with
their values, then for each tensor its name, shape, type and where it begins, then the tensors, each at a multiple of
``general.alignment``. A count that the file has no room for keeps readers busy for ever; a tensor that ends behind the
file is read as whatever lies there.
"""

import mmap
import struct
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT_KEY, ALIGNMENT = "general.alignment", 32
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
"""The types of values by their numbers, as `struct` writes them."""
STRING, ARRAY = 8, 9
MAX_NESTED_ARRAYS = 4
MAX_DIMENSIONS = 8


def check_header(path: Path) -> None:
    """Raises SelfChatBotError for a file that is cut short, or whose header promises what is not there."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Header(path, data).check()
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise SelfChatBotError(f"{path} can't be read as a GGUF file ({error}): get it again") from error


class _Header:
    """Reads from the beginning to the end of the header."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._at = 0
        self._order = "<"
        self._alignment = ALIGNMENT

    def check(self) -> None:
        if self._bytes(4) != MAGIC:
            raise self._damaged("it does not begin with GGUF")
        version = self._number("I")
        if not version & 0xFFFF:  # written on a machine with the other order of bytes
            self._order = ">"
            self._at -= 4
            version = self._number("I")
        if version not in VERSIONS:
            raise SelfChatBotError(f"{self._path} is GGUF version {version}, expected 2 or 3: get a newer file")
        tensors, keys = self._count(at_least=24), self._count(at_least=13)
        for _ in range(keys):
            key = self._string()
            value = self._value(self._number("I"), 0)
            if key == ALIGNMENT_KEY.encode():
                self._alignment = value
        if not isinstance(self._alignment, int) or self._alignment < 1 or self._alignment & (self._alignment - 1):
            raise self._damaged(f"{ALIGNMENT_KEY} is no power of two")
        ends = [self._tensor() for _ in range(tensors)]
        start = -(-self._at // self._alignment) * self._alignment
        for name, end in ends:
            if start + end > len(self._data):
                raise self._damaged(
                    f"the tensor {name} ends at byte {start + end:,}, and the file has {len(self._data):,}"
                )

    def _tensor(self) -> tuple[str, int]:
        """The name of a tensor, and where it ends, in bytes from the first one."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name = self._string().decode(errors="replace")
        dimensions = self._number("I")
        if dimensions > MAX_DIMENSIONS:
            raise self._damaged(f"the tensor {name} has {dimensions:,} dimensions")
        values = 1
        for _ in range(dimensions):
            values *= self._number("Q")
        kind, offset = self._number("I"), self._number("Q")
        try:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise self._damaged(f"the tensor {name} is of type {kind}, which is not known") from None
        return name, offset + -(-values // block) * size

    def _value(self, kind: int, nested: int) -> Any:
        """A number; None for a text or a list, which is passed over."""
        if kind in SCALARS:
            return self._number(SCALARS[kind])
        if kind == STRING:
            self._string()
        elif kind == ARRAY and nested < MAX_NESTED_ARRAYS:
            inner = self._number("I")
            if inner in SCALARS:
                size = struct.calcsize(SCALARS[inner])
                self._bytes(self._count(at_least=size) * size)
            else:
                for _ in range(self._count(at_least=8)):
                    self._value(inner, nested + 1)
        else:
            raise self._damaged(f"a value is of type {kind}")
        return None

    def _count(self, at_least: int) -> int:
        """A number of things, each of which takes ``at_least`` so many bytes."""
        count: int = self._number("Q")
        if count * at_least > len(self._data) - self._at:
            raise self._damaged(f"it has no room for the {count:,} entries that byte {self._at - 8:,} promises")
        return count

    def _string(self) -> bytes:
        return self._bytes(self._count(at_least=1))

    def _number(self, code: str) -> Any:
        size = struct.calcsize(f"{self._order}{code}")
        return struct.unpack(f"{self._order}{code}", self._bytes(size))[0]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise self._damaged("it ends within its header")
        return self._data[self._at - count : self._at]

    def _damaged(self, found: str) -> SelfChatBotError:
        return SelfChatBotError(f"{self._path} is damaged, or was not downloaded to the end: {found}: get it again")
