"""What every export format has in common."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePath
from typing import IO, ClassVar, Literal

from pydantic import Field

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.parameters import Parameters
from selfchatbot.preprocessors.reading.archives import ExportPath, files_below, members

__all__ = ["ExportFile", "ExportPath", "Preprocessor", "decoded_lines", "same_name"]

DISCRIMINATOR = re.compile(r"#\d{4}$")
BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
UTF8_BOM = b"\xef\xbb\xbf"
BLOCK = 2**20
LONGEST_LINE = 64 * BLOCK
"""Bytes. No app lets people write a message of this length."""


@dataclass(slots=True)
class ExportFile:
    """What was seen in one export file while it was read."""

    path: ExportPath
    chat: str
    messages: int = 0
    """Messages of any kind, as the exporter counts them."""
    declared: int | None = None
    """The count that the export itself states."""
    first: datetime | None = None
    last: datetime | None = None
    me: str | None = None
    """The author who made the export, where the export says so; set before the first message is yielded."""
    group: bool | None = None
    """Whether the chat has more than two members, where the export says so."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, without a word of any message."""


class Preprocessor(Parameters):
    """Reads one export format. Its fields are the keys of ``preprocessor_data.<name>`` in the raw parameters.json."""

    name: ClassVar[str]
    """The name of the format, of its folder and of its key in ``preprocessor_data``."""
    suffixes: ClassVar[tuple[str, ...]]
    """Lower-case endings of the files it reads."""
    exports_overlap: ClassVar[bool] = True
    """Whether two exports can hold the same messages of one chat."""

    username: str | None = Field(
        None,
        min_length=1,
        description="Your name there, with or without `@` and `#1234`; not needed if the export says it.",
    )
    aliases: tuple[str, ...] = Field((), strict=False, description="Other names you had there.")
    group_chats: Literal["include", "exclude"] = Field(
        "include", description="`exclude`: chats with more than one other person are left out."
    )

    @abstractmethod
    def read(self, path: Path, files: list[ExportFile] | None = None) -> Iterator[Message]:
        """The messages of a file, or of all files below a folder one chat after the other, in chronological order.

        What is seen on the way (declared counts, warnings) is appended to ``files``.

        Raises ExportError for what can't be read, ParametersError for what the file alone can't decide.
        """

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        """Whether a file that begins with ``head`` (64 KiB at most) looks like this format: for hints only."""
        return False

    def export_files(self, path: Path) -> list[ExportPath]:
        """``path`` itself, or the files below it that this format reads, sorted by path; zips are read in place.

        Raises ExportError for a link that leads out of the folder and for an archive that can't be trusted.
        """
        if path.is_dir():
            return files_below(path, self._is_export)
        if path.suffix.lower() == ".zip" and not self._is_export(path):
            return [*members(path, self._is_export)]
        return [path]

    def _is_export(self, path: PurePath) -> bool:
        return path.suffix.lower() in self.suffixes

    def is_me(self, author: str) -> bool:
        """Whether ``author``, as the export writes it, is my user name or one of my aliases."""
        names = self.aliases if self.username is None else (self.username, *self.aliases)
        return _is_one_of(names, author)


@lru_cache(maxsize=4096)
def _is_one_of(names: tuple[str, ...], author: str) -> bool:
    return any(same_name(name, author) for name in names)


def same_name(given: str, author: str) -> bool:
    """Compare a name from parameters.json with one from an export: case, ``@`` and a left out ``#1234`` don't count."""
    given, author = given.strip().removeprefix("@").casefold(), author.strip().removeprefix("@").casefold()
    return given == author or _without_number(given) == author or given == _without_number(author)


def decoded_lines(path: ExportPath, errors: str = "strict") -> Iterator[str]:
    r"""The lines of a UTF-8 file, split at ``\n`` only, without it and one ``\r`` before it; no byte order mark.

    ``errors`` is what to do with bytes that are not UTF-8, as for `bytes.decode`.

    Raises ExportError with file and line for UTF-16, binary and otherwise undecodable files.
    """
    try:
        with path.open("rb") as file:
            for lines in _blocks(file, path, errors):
                yield from lines
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error


def _blocks(file: IO[bytes], path: ExportPath, errors: str) -> Iterator[list[str]]:
    """Whole blocks are decoded and split at once: that is several times faster than line by line."""
    number = 1
    rest = b""
    while block := file.read(BLOCK):
        if number == 1 and not rest:
            if encoding := BOMS.get(block[:2]):
                raise ExportError(f"{path} is {encoding} text, expected UTF-8: export it again, or save it as UTF-8")
            block = block.removeprefix(UTF8_BOM)
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) > LONGEST_LINE:
                raise ExportError(f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes: remove the file")
            continue
        lines = _decoded(rest + block[:end], path, number, errors).split("\n")
        lines.pop()
        number += len(lines)
        rest = block[end:]
        yield lines
    # A killed export may end in the middle of a character.
    if rest := _whole_characters(rest):
        yield [_decoded(rest, path, number, errors).removesuffix("\r")]


def _whole_characters(line: bytes) -> bytes:
    """``line`` without the first bytes of a character that lacks the others."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return line[: error.start]
    return line


def _decoded(block: bytes, path: ExportPath, number: int, errors: str) -> str:
    """Whole lines as text, ``number`` being that of the first, without the ``\\r`` before each ``\\n``."""
    if (nul := block.find(b"\0")) >= 0:
        number += block.count(b"\n", 0, nul)
        raise ExportError(f"{path}, line {number}: NUL bytes, so this is no text file: remove it from the folder")
    try:
        text = block.decode(errors=errors)
    except UnicodeDecodeError as error:
        number += block.count(b"\n", 0, error.start)
        byte = error.start - block.rfind(b"\n", 0, error.start)
        raise ExportError(
            f"{path}, line {number}: byte {byte} is not UTF-8: export it again, or save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n")


def _without_number(name: str) -> str:
    return DISCRIMINATOR.sub("", name)
