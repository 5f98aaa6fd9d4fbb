"""WhatsApp's own export ("Export chat"), from iOS and Android, as .txt or in the .zip that the phone sends.

Grammar: exports of both systems and the parsers Pustur/whatsapp-chat-parser, lucasrodes/whatstk, joweich/chat-miner,
mlomb/chat-analytics and starkdmi/whats_json. A message is a line ``[DATE, TIME] Name: text`` (iOS, with seconds) or
``DATE, TIME - Name: text`` (Android) and the lines below it without a date; a line without ``Name: `` is the app's.
Dates are written as in the phone's country. iOS puts U+200E (U+200F in Arabic, Hebrew, Persian and Urdu) before all it
writes itself, so that its words are known in every language, while Android's are looked up. `stamps` reads the
beginnings of messages, `locales` knows WhatsApp's phrases, `layout` finds out how one file is written, `content` takes
apart one text, `parts` puts together what belongs to one message, `edits` compares exports of one chat; this module
walks the folder and yields the messages. `exporter` reads what WhatsApp-Chat-Exporter makes of WhatsApp's database.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.reading.dates import Order, ambiguous_order, decide_orders
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.voices import WithVoices
from selfchatbot.preprocessors.whatsapp import exporter
from selfchatbot.preprocessors.whatsapp.edits import Edits
from selfchatbot.preprocessors.whatsapp.layout import Layout, scan
from selfchatbot.preprocessors.whatsapp.media import besides_text
from selfchatbot.preprocessors.whatsapp.parts import Unread, joined, parts, texts
from selfchatbot.preprocessors.whatsapp.stamps import StampReader

# Text files that somebody sent, and transcripts of what was sent, lie beside the chat when it was exported with media.
ATTACHMENT = re.compile(r"\d{5,}-.*|(?:DOC|PTT|AUD)-\d{8}-WA\d+.*", re.DOTALL)


class WhatsApp(WithVoices):
    """Chats exported from WhatsApp, one .txt or .zip each, and the JSON of WhatsApp-Chat-Exporter."""

    name: ClassVar[str] = "WhatsApp"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".json")

    date_order: Order | None = Field(
        None, description="`dmy`, `mdy` or `ymd`, only needed when the dates in the files don't show it."
    )

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        chats, names = Names(), (self.username, *self.aliases)
        tables = [file for file in self.export_files(path) if file.suffix.lower() == ".json"]
        for table in sorted(tables, key=exporter.first_time) if len(tables) > 1 else tables:
            yield from exporter.read_export(table, next(filter(None, names), exporter.ME), chats, files)
        if path in tables:
            return
        # A chat in both is read once: the JSON also has what the phone no longer exports.
        read = {file.chat.casefold() for file in files}
        layouts = self._layouts(path, files)
        for layout in layouts:
            if layout.chat.casefold() in read:
                files.append(ExportFile(layout.path, layout.chat, notes=["left out: the chat was read from the JSON"]))
        layouts = [layout for layout in layouts if layout.chat.casefold() not in read]
        self._decide_orders(layouts, path)
        # Exports of one chat come one after the other, the older first.
        layouts.sort(key=lambda layout: (layout.chat, layout.earliest, layout.latest, str(layout.path)))
        for layout in layouts:
            yield from chronological(_read_file(layout, files, Edits(layout, layouts)))

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        """Whether one of the first lines is a message with a name, or a chat of WhatsApp-Chat-Exporter."""
        if path.suffix.lower() == ".json":
            return exporter.BEGINNING.match(head) is not None
        if path.suffix.lower() not in cls.suffixes:
            return False
        read = StampReader()
        lines = [line for line in head.decode(errors="replace").split("\n")[:50] if line.strip()]
        stamps = [stamp for line in lines[:20] if (stamp := read(line.removesuffix("\r")))]
        return len(stamps) * 3 >= len(lines[:20]) and any(": " in stamp.rest for stamp in stamps)

    def export_files(self, path: Path) -> list[ExportPath]:
        """As for every format, without other .json, which somebody may have sent."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if exporter.is_text_or_export(file)]

    def _layouts(self, path: Path, files: list[ExportFile], strict: bool = True) -> list[Layout]:
        """What there is to know about each chat. Attached text files, which lie beside a chat, are left out.

        Raises ExportError for a file that is no chat and doesn't lie beside one, if ``strict``.
        """
        places: dict[str, list[ExportPath]] = defaultdict(list)
        for file in self.export_files(path):
            if file.suffix.lower() == ".txt":
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
            if strict and failed and (not found or place == str(path)):
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
            neighbours = self._layouts(path.parent, [], strict=False)
            found = decide_orders([layout.evidence for layout in (*layouts, *neighbours)], self.date_order)
        proved = {layout.evidence.proof() or layout.evidence.decide() for layout in (*layouts, *neighbours)}
        for layout, order in zip(layouts, found, strict=False):
            layout.order = order
            first = "/".join((layout.first.a, layout.first.b, layout.first.c))
            if order is None:
                raise ambiguous_order(layout.path, first, self.name)
            if order == "mdy" and order not in proved and order != self.date_order:
                layout.notes.append(
                    f"its dates can be day/month as well as month/day (first: {first}) and were read as month/day: "
                    f'if that is wrong, set preprocessor_data.{self.name}.date_order to "dmy"'
                )


def _read_file(layout: Layout, files: list[ExportFile], edits: Edits) -> Iterator[Message]:
    """The messages of one file in its order."""
    file = ExportFile(path=layout.path, chat=layout.chat, me=layout.me, group=layout.group)
    files.append(file)
    file.notes.extend(layout.notes)
    unread = Unread()
    # Android copies messages in another form than it exports them, so only an iPhone's paste looks like messages.
    found = joined(parts(layout, unread), file) if layout.marks else parts(layout, unread)
    chat, was_edited = layout.chat, bool(edits)
    for time, author, text, content in texts(layout, found):
        file.add(time)
        media = said = ""
        if len(content) < len(text):
            media, said = besides_text(text, layout.path)
        if said:
            media, content = "", f"{said}\n{content}" if content else said  # noqa: PLW2901
        elif content and was_edited:
            content = edits.newer(time, author, text, content)  # noqa: PLW2901
        if content or media:
            yield Message(time, author, content, chat, media=media)
    if unread.count:
        file.notes.append(
            f"{unread.count:,} line(s) that look like the beginning of a message have a date in another form and were "
            f"read as text (first: line {unread.first:,})"
        )
    if layout.tags:
        file.notes.append("phrases in angle brackets that stand in many messages were taken for WhatsApp's own")
