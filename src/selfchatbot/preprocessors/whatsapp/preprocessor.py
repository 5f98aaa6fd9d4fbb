"""WhatsApp's own export ("Export chat"), from iOS and Android, as .txt or in the .zip that the phone sends.

Grammar: exports of both systems and the parsers Pustur/whatsapp-chat-parser, lucasrodes/whatstk, joweich/chat-miner and
mlomb/chat-analytics. A message is a line ``[DATE, TIME] Name: text`` (iOS, with seconds) or ``DATE, TIME - Name: text``
(Android) and the lines below it without a date; a line without ``Name: `` is the app's. Dates are those of the phone's
country. Before all it writes itself iOS puts U+200E (U+200F in Arabic): so its words are known in every language, while
Android's are looked up. `stamps` reads the beginnings of messages, `locales` knows WhatsApp's phrases, `layout` finds
out how one file is written, `content` takes apart one text; this module walks the folder and yields the messages.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import Field

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, Preprocessor
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.dates import Order, ambiguous_order, decide_orders
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.whatsapp.content import typed
from selfchatbot.preprocessors.whatsapp.layout import Layout, clean, scan
from selfchatbot.preprocessors.whatsapp.stamps import Stamp, StampReader

# Text files that somebody sent lie beside the chat when it was exported with media.
ATTACHMENT = re.compile(r"\d{5,}-.*|DOC-\d{8}-WA\d+.*", re.DOTALL)
LONGEST_PASTE = 100
"""Messages that are taken for a log which somebody pasted into a message, at most."""


class Part(NamedTuple):
    """A message as it stands in the file."""

    time: datetime
    stamp: Stamp
    line: str
    """Its first line, as it is."""
    below: list[str]


class WhatsApp(Preprocessor):
    """Chats exported from WhatsApp, one .txt or .zip each."""

    name: ClassVar[str] = "WhatsApp"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    date_order: Order | None = Field(
        None, description="`dmy`, `mdy` or `ymd`, only needed when the dates in the files don't show it."
    )

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        layouts = self._layouts(path, files)
        self._decide_orders(layouts, path)
        # Exports of one chat come one after the other, the older first.
        for layout in sorted(layouts, key=lambda layout: (layout.chat, layout.earliest, str(layout.path))):
            yield from _read_file(layout, files)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        """Whether one of the first lines is a message with a name."""
        if path.suffix.lower() not in cls.suffixes:
            return False
        read = StampReader()
        lines = [line for line in head.decode(errors="replace").split("\n")[:50] if line.strip()]
        stamps = [stamp for line in lines[:20] if (stamp := read(line.removesuffix("\r")))]
        return len(stamps) * 2 >= len(lines[:20]) and any(": " in stamp.rest for stamp in stamps)

    def _layouts(self, path: Path, files: list[ExportFile]) -> list[Layout]:
        """What there is to know about each chat. Attached text files, which lie beside a chat, are left out."""
        places: dict[str, list[ExportPath]] = defaultdict(list)
        for file in self.export_files(path):
            places[str(file.parent)].append(file)
        layouts: list[Layout] = []
        known = [name for name in (self.username, *self.aliases) if name and ": " in name]
        for place, beside in places.items():
            found: list[Layout] = []
            failed: list[tuple[ExportPath, ExportError]] = []
            for file in beside:
                if len(beside) > 1 and ATTACHMENT.fullmatch(file.stem):
                    continue
                try:
                    found.append(scan(file, known))
                except ExportError as error:
                    failed.append((file, error))
            if failed and (not found or place == str(path)):
                raise failed[0][1]
            files.extend(ExportFile(file, file.stem, notes=["no chat, so it was left out"]) for file, _ in failed)
            layouts.extend(found)
        return layouts

    def _decide_orders(self, layouts: list[Layout], path: Path) -> None:
        """Fix the order of day and month of each file."""
        neighbours: list[Layout] = []
        found = decide_orders([layout.evidence for layout in layouts], self.date_order)
        if None in found and not path.is_dir():
            # A file asked for alone: its neighbours may know.
            neighbours = self._layouts(path.parent, [])
            found = decide_orders([layout.evidence for layout in (*layouts, *neighbours)], self.date_order)
        for layout, order in zip(layouts, found, strict=False):
            layout.order = order
            if order is None:
                first = "/".join((layout.first.a, layout.first.b, layout.first.c))
                raise ambiguous_order(layout.path, first, self.name)


def _read_file(layout: Layout, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file in its order."""
    file = ExportFile(path=layout.path, chat=layout.chat, me=layout.me, group=layout.group)
    files.append(file)
    mark = layout.mark
    # Android copies messages in another form than it exports them, so only an iPhone's paste looks like messages.
    parts = _parts(layout) if mark is None else _joined(_parts(layout), file)
    for time, stamp, _, below in parts:
        name, text = layout.split(stamp.rest)
        if name is None:
            continue
        file.add(time)
        content = typed("\n".join((text, *below)) if below else text, mark, stamp.lead != "", layout.tags)
        if content:
            yield Message(time, clean(name), content, layout.chat)
    if layout.others:
        file.notes.append(f"{layout.others:,} line(s) begin with a date in another form and were read as text")
    if layout.tags:
        file.notes.append("phrases in angle brackets that stand in many messages were taken for WhatsApp's own")


def _parts(layout: Layout) -> Iterator[Part]:
    """The messages of a file in its order, system lines among them; blank lines at their end are not theirs."""
    read = StampReader()
    assert layout.order is not None
    line_kind, shape, order = layout.style.line, layout.style.shape, layout.order
    current: Part | None = None
    for line in decoded_lines(layout.path):
        stamp = read(line)
        if (
            stamp is not None
            and stamp.style.line == line_kind
            and stamp.style.shape == shape
            and (time := stamp.time(order)) is not None
        ):
            if current is not None:
                yield _trimmed(current)
            current = Part(time, stamp, line, [])
        elif current is not None:
            current.below.append(line)
    if current is not None:
        yield _trimmed(current)


def _trimmed(part: Part) -> Part:
    while part.below and not part.below[-1].strip():
        part.below.pop()
    return part


def _joined(parts: Iterator[Part], file: ExportFile) -> Iterator[Part]:
    """``parts`` with what looks like messages but was pasted into one put back into it.

    A pasted log begins more than a day back, and then the file goes on where it was. Two messages sent at the same
    second don't tell, nor does a log of more than `LONGEST_PASTE` messages.
    """
    pasted = 0
    last: Part | None = None
    waiting: list[Part] = []
    for part in parts:
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
