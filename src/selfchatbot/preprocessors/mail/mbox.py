"""The messages of an mbox file, one after the other, each only as far as its text can reach.

Grammar: RFC 4155, and "mboxrd" for lines of a text that begin with "From ": they have a ``>`` in front. A message
begins with such a line, in front of which is an empty one; instead of an address, Google has an id in it.
"""

import re
from collections.abc import Iterator
from functools import partial

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath

SEPARATOR = re.compile(rb"From (?:\S+.*)?\d\d:\d\d(?::\d\d)?\b.*\d{4}\s*")
QUOTED = re.compile(rb"(?m)^>(>*From )")
MAX_MESSAGE_BYTES = 2**20
"""Of a message that are kept. Pictures and other files, which stand behind the text, may be much longer."""
MAX_SEPARATOR_BYTES = 400
LINE_BYTES = 2**16
"""Longer lines are taken in pieces."""


def is_separator(line: bytes) -> bool:
    """Whether a message may begin with ``line``."""
    return line.startswith(b"From ") and len(line) <= MAX_SEPARATOR_BYTES and SEPARATOR.fullmatch(line) is not None


def raw_messages(path: ExportPath) -> Iterator[bytes]:
    """The messages of a file, without what is beyond `MAX_MESSAGE_BYTES`. Raises ExportError for what is no mbox."""
    try:
        with path.open("rb") as file:
            yield from _split(iter(partial(file.readline, LINE_BYTES), b""), path)
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error


def _split(lines: Iterator[bytes], path: ExportPath) -> Iterator[bytes]:
    kept: list[bytes] | None = None
    size = 0
    is_after_empty = True
    for line in lines:
        if is_after_empty and is_separator(line):
            if kept is not None:
                yield QUOTED.sub(rb"\1", b"".join(kept))
            kept, size = [], 0
        elif kept is not None:
            if size < MAX_MESSAGE_BYTES:
                kept.append(line)
                size += len(line)
        elif line.strip():
            raise ExportError(f'{path}: no mbox, expected "From " and a date in its first line: export it again')
        is_after_empty = line in (b"\n", b"\r\n")
    if kept is not None:
        yield QUOTED.sub(rb"\1", b"".join(kept))
