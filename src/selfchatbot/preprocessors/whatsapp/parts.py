"""The messages of one file: the lines that belong together, who wrote them and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.whatsapp.content import typed
from selfchatbot.preprocessors.whatsapp.layout import Layout, clean
from selfchatbot.preprocessors.whatsapp.stamps import Stamp, StampReader, Style, looks_like_stamp

LONGEST_PASTE = 100
"""Messages that are taken for a log which somebody pasted into a message, at most."""


class Part(NamedTuple):
    """A message as it stands in the file."""

    time: datetime
    stamp: Stamp
    line: str
    """Its first line, as it is."""
    below: list[str]


@dataclass(slots=True)
class Unread:
    """Lines that look like the beginning of a message, but can't be read as one."""

    count: int = 0
    first: int = 0
    """Its number, counted from 1."""

    def add(self, line: int) -> None:
        self.count += 1
        self.first = self.first or line


def texts(layout: Layout, found: Iterator[Part]) -> Iterator[tuple[datetime, str, str, str]]:
    """Time, author, text and what was typed of it of each message; lines of the app are left out."""
    marks, tags, split = layout.marks, layout.tags, layout.split
    for time, stamp, _, below in found:
        name, text = split(stamp.rest)
        if name is not None:
            author = clean(name)
            text = "\n".join((text, *below)) if below else text
            yield time, author, text, typed(text, marks, stamp.lead != "", tags, author)


def parts(layout: Layout, unread: Unread) -> Iterator[Part]:
    """The messages of a file in its order, system lines among them; blank lines at their end are not theirs."""
    read = StampReader()
    order = layout.order
    assert order is not None
    kind = (layout.style.line, layout.style.shape)
    style: Style | None = None
    current: Part | None = None
    for number, line in enumerate(decoded_lines(layout.path), 1):
        stamp = read(line)
        if (
            stamp is not None
            and (stamp.style is style or (stamp.style.line, stamp.style.shape) == kind)
            and (time := stamp.time(order)) is not None
        ):
            style = stamp.style
            if current is not None:
                yield _trimmed(current)
            current = Part(time, stamp, line, [])
            continue
        if current is not None:
            current.below.append(line)
        if stamp is not None or looks_like_stamp(line, kind[0]):
            unread.add(number)
    if current is not None:
        yield _trimmed(current)


def _trimmed(part: Part) -> Part:
    while part.below and not part.below[-1].strip():
        part.below.pop()
    return part


def joined(found: Iterator[Part], file: ExportFile) -> Iterator[Part]:
    """What was ``found``, with what looks like messages but was pasted into one put back into it.

    A pasted log begins more than a day back, and then the file goes on where it was. Two messages sent at the same
    second don't tell, nor does a log of more than `LONGEST_PASTE` messages.
    """
    pasted = 0
    last: Part | None = None
    waiting: list[Part] = []
    for part in found:
        if last is not None and part.time < last.time - (timedelta(0) if waiting else timedelta(days=1)):
            waiting.append(part)
            if len(waiting) <= LONGEST_PASTE:
                continue
            yield last
            yield from waiting[:-1]
            last, waiting = waiting[-1], []
            continue
        if last is not None:
            for old in waiting:
                last.below.extend((old.line, *old.below))
            pasted += len(waiting)
            waiting = []
            yield last
        last = part
    if last is not None:
        yield last
        yield from waiting
    if pasted:
        file.notes.append(f"{pasted:,} line(s) like the beginning of a message were read as pasted text")
