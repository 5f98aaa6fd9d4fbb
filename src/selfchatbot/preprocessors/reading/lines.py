"""The lines of a UTF-8 text file, in bounded memory."""

from collections.abc import Iterator
from typing import IO

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath

UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
BLOCK_BYTES = 2**20
MAX_LINE_BYTES = 64 * BLOCK_BYTES
"""No app allows a message this long."""


def decoded_lines(path: ExportPath, errors: str = "strict") -> Iterator[str]:
    r"""Yield the lines of a UTF-8 file without their ``\n`` or ``\r\n`` and without a byte order mark.

    Only ``\n`` ends a line: messages may contain U+2028 and the like. ``errors`` is passed to `bytes.decode`.

    Raises ExportError with file and line for UTF-16, binary files and invalid UTF-8.
    """
    for lines in decoded_blocks(path, errors):
        yield from lines


def decoded_blocks(path: ExportPath, errors: str = "strict") -> Iterator[list[str]]:
    """The same lines, many at once."""
    try:
        with path.open("rb") as file:
            yield from _blocks(file, path, errors)
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error


def refuse_utf16(path: ExportPath, head: bytes) -> None:
    """Raise ExportError if a file that starts with ``head`` is UTF-16."""
    if head.startswith(UTF16_BOMS):
        raise ExportError(f"{path} is UTF-16 text, expected UTF-8: export it again, or save it as UTF-8")


def _blocks(file: IO[bytes], path: ExportPath, errors: str) -> Iterator[list[str]]:
    """Lists of lines. Decoding whole blocks is several times faster than decoding single lines."""
    number = 1
    rest = b""
    while block := file.read(BLOCK_BYTES):
        if number == 1 and not rest:
            refuse_utf16(path, block)
            block = block.removeprefix(UTF8_BOM)
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) > MAX_LINE_BYTES:
                raise ExportError(f"{path}, line {number}: longer than {MAX_LINE_BYTES:,} bytes: remove the file")
            continue
        lines = _decoded(rest + block[:end], path, number, errors).split("\n")
        lines.pop()
        number += len(lines)
        rest = block[end:]
        yield lines
    # An export that was killed may end in the middle of a character.
    if rest := _whole_characters(rest):
        yield [_decoded(rest, path, number, errors).removesuffix("\r")]


def _whole_characters(line: bytes) -> bytes:
    """``line`` without an incomplete character at its end."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return line[: error.start]
    return line


def _decoded(block: bytes, path: ExportPath, number: int, errors: str) -> str:
    """Decode whole lines, the first of which has this ``number``; ``\\r\\n`` becomes ``\\n``."""
    if (nul := block.find(b"\0")) >= 0:
        number += block.count(b"\n", 0, nul)
        raise ExportError(f"{path}, line {number}: NUL bytes, so this is not a text file: remove it from the folder")
    try:
        text = block.decode(errors=errors)
    except UnicodeDecodeError as error:
        number += block.count(b"\n", 0, error.start)
        byte = error.start - block.rfind(b"\n", 0, error.start)
        raise ExportError(
            f"{path}, line {number}: byte {byte} is not UTF-8: export it again, or save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n")
