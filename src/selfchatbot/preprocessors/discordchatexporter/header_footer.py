"""The head and the end of an export, taken off, and the paragraphs between them.

``RULE Guild: ... Channel: ... [Topic: ...] RULE`` stands at the beginning, ``RULE Exported N message(s) RULE`` at the
end since 2.17. A topic may hold blank lines. Exports put one behind the other in a file, an export behind other text,
and pieces of exports without a frame are read as well.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selfchatbot.preprocessors.reading.dates import shape

RULES = frozenset({"=" * 62, "=" * 48})
# N is written with the thousands separator of the exporter's country, whichever that is.
EXPORTED = re.compile(r"Exported (\d[^A-Za-z]*)message\(s\)")
COUNTED = re.compile(r"Messages:\s*(\d[^A-Za-z]*)")


Paragraph = tuple[int, list[str], bool]
"""Lines without a blank line between them: how many blank lines stand before; the lines, none where only blank ones are
left; whether they are the first of an export, be it at the beginning of the file or below a head."""


@dataclass(slots=True)
class Frame:
    """What heads and ends state."""

    heads: int = 0
    ends: int = 0
    declared: int | None = None
    """The number of messages."""
    counts_in_head: bool = False
    """``Messages: N`` stood in the head up to 2.15."""
    hides_messages: bool = False
    """Whether what looks like a message stands in a head: the topic quotes one, or the rule that closes it is lost."""

    def add(self, count: str) -> None:
        # More digits than any export has are damage, and int() refuses 4,300 of them.
        self.declared = (self.declared or 0) + int(re.sub(r"\D", "", count)[:18])


def body(lines: Iterable[str], frame: Frame) -> Iterator[Paragraph]:
    """The paragraphs between heads and ends; what those state goes into ``frame``."""
    in_head, opens = False, True
    end: tuple[int, list[str]] | None = None
    for blank, paragraph in _paragraphs(lines):
        text = paragraph
        if end is not None:
            # Only where nothing or another head follows; else somebody pasted it.
            if not text or _is_head(text):
                yield _closed(*end, frame)
            else:
                yield *end, False
            end = None
        if not in_head and text and text[0] in RULES:
            if _is_end(text):
                if len(text) <= 3:
                    end = blank, text
                    continue
                if _is_head(text[3:]):
                    yield _closed(blank, text, frame)
                    text = text[3:]
            if (opens and not frame.heads) or _is_head(text):
                in_head, text = True, text[1:]
                frame.heads += 1
        if in_head:
            text, in_head = _below_head(text, frame)
            opens = True
            if not text:
                continue
        yield blank, text, opens
        opens = False
    if end is not None:
        yield _closed(*end, frame)


def is_header(line: str) -> bool:
    """Whether ``line`` is, by its date, the first line of a message."""
    date, separator, author = line[1:].partition("] ")
    return line[:1] == "[" and bool(separator and author) and shape(date) is not None


def _paragraphs(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    before, blank = 0, 0
    text: list[str] = []
    for line in lines:
        if not line:
            blank += 1
        elif blank:
            if text:
                yield before, text
            before, blank, text = blank, 0, [line]
        else:
            text.append(line)
    if text:
        yield before, text
    if blank:
        yield blank, []


def _is_end(text: list[str]) -> bool:
    """Whether ``text`` begins like an end; a killed export may lack a piece of its last line."""
    if len(text) < 2 or text[0] not in RULES or EXPORTED.fullmatch(text[1]) is None:
        return False
    return len(text) == 2 or not text[2].strip("=")


def _is_head(text: list[str]) -> bool:
    return len(text) >= 2 and text[0] in RULES and text[1].startswith("Guild:")


def _closed(blank: int, text: list[str], frame: Frame) -> Paragraph:
    if match := EXPORTED.fullmatch(text[1]):
        frame.add(match[1])
    frame.ends += 1
    return blank, [], False


def _below_head(text: list[str], frame: Frame) -> tuple[list[str], bool]:
    """What follows the rule that closes the head, and whether the head goes on instead."""
    for index, line in enumerate(text):
        if match := COUNTED.fullmatch(line):
            frame.counts_in_head = True
            frame.add(match[1])
        elif line in RULES:
            return text[index + 1 :], False
    frame.hides_messages = frame.hides_messages or (len(text) > 0 and is_header(text[0]))
    return [], True
