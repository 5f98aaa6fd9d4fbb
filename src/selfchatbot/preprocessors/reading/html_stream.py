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
from selfchatbot.preprocessors.reading.lines import MAX_LINE_BYTES, decoded_blocks

TAG = re.compile(r"<([/!]?[A-Za-z-][A-Za-z0-9]*)([^<>]*)>((?:[^<]++|<(?![/!A-Za-z]))*+)")
"""A tag and the text up to the next one. Some leave a bare ``<`` in the text of buttons."""
ATTRIBUTE = re.compile(r"""([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
CONTROL = re.compile(r"&#x([01][0-9A-Fa-f]);")
NEW_LINE = "\n"
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
    rest = waiting = ""
    for lines in decoded_blocks(path):
        page = f"{rest}{NEW_LINE.join(lines)}\n"
        # The last tag may go on, and so may the text behind it.
        end = max(page.rfind("<"), 0)
        waiting = yield from _tags(page[:end], waiting)
        rest = page[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise ExportError(f"{path}: a tag or text longer than {MAX_LINE_BYTES:,} characters: remove the file")
    yield from _tags(rest, waiting)


def _tags(page: str, waiting: str) -> Generator[Tag, None, str]:
    """The tags in a piece of the page. ``waiting`` is the end tag before which nothing counts; that for the next piece
    is returned.
    """
    for match in TAG.finditer(page):
        tag = Tag._make(match.groups())
        name = tag.name
        if not name.islower():
            name = name.lower()
            tag = tag._replace(name=name)
        if waiting:
            if name != waiting:
                continue
            waiting = ""
        elif name in NOT_TEXT:
            waiting = f"/{name}"
        yield tag
    return waiting


def unescaped(text: str) -> str:
    """``text`` with its entities as the characters that they stand for, control characters as well."""
    if "&" not in text:
        return text
    return html.unescape(CONTROL.sub(lambda match: chr(int(match[1], 16)), text))
