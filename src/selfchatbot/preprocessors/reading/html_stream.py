"""The tags of an HTML page and the text between them, one after the other, without a tree of them.

For pages that programs write: ``<`` and ``>`` in what people wrote are always escaped there. `html.parser` reads any
page, but is many times slower and looks at the same text again and again where a tag is never closed.
"""

import html
import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.lines import MAX_LINE_BYTES, decoded_lines

BLOCK = 2**16
TAG = re.compile(r"<([/!]?[A-Za-z-][A-Za-z0-9]*)([^<>]*)>((?:[^<]++|<(?![/!A-Za-z]))*+)")
"""A tag and the text up to the next one. Some leave a bare ``<`` in the text of buttons."""
ATTRIBUTE = re.compile(r"""([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
CONTROL = re.compile(r"&#x([01][0-9A-Fa-f]);")
NOT_TEXT = ("script", "style")


class Tag(NamedTuple):
    """A tag and what stands behind it, up to the next one."""

    name: str
    """In lower case; an end tag begins with ``/``, a comment or a declaration with ``!``."""
    raw: str
    """Its attributes, as they are written."""
    text: str
    """As it is written, see `unescaped`."""

    def attributes(self) -> dict[str, str]:
        """The attributes by name; one without a value is empty."""
        return {name: unescaped(double or single or bare) for name, double, single, bare in ATTRIBUTE.findall(self.raw)}


def tags(path: ExportPath) -> Iterator[Tag]:
    """The tags of a page in their order, but not those in scripts and styles.

    Raises ExportError for what can't be read as text.
    """
    pieces: list[str] = []
    size, waiting = 0, ""
    for line in decoded_lines(path):
        pieces += (line, "\n")
        size += len(line) + 1
        if size < BLOCK or "<" not in line:
            continue
        page = "".join(pieces)
        # The last tag may go on, and so may the text behind it.
        end = page.rfind("<")
        waiting = yield from _tags(page[:end], waiting)
        pieces, size = [page[end:]], len(page) - end
        if size > MAX_LINE_BYTES:
            raise ExportError(f"{path}: a tag longer than {MAX_LINE_BYTES:,} characters: remove the file")
    yield from _tags("".join(pieces), waiting)


def _tags(page: str, waiting: str) -> Generator[Tag, None, str]:
    """The tags in a piece of the page. ``waiting`` is the end tag before which nothing counts; that for the next piece
    is returned.
    """
    for match in TAG.finditer(page):
        tag = Tag(match[1].lower(), match[2], match[3])
        if waiting:
            if tag.name != waiting:
                continue
            waiting = ""
        elif tag.name in NOT_TEXT:
            waiting = f"/{tag.name}"
        yield tag
    return waiting


def unescaped(text: str) -> str:
    """``text`` with its entities as the characters that they stand for, control characters as well."""
    if "&" not in text:
        return text
    return html.unescape(CONTROL.sub(lambda match: chr(int(match[1], 16)), text))
