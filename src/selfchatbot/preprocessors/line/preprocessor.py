r"""LINE's own export ("Export chat history", .txt), from iOS, Android and, older, from computers.

Grammar: exports in the languages of LINE's users and the parser ``line-native-txt.ts`` of hellodigua/ChatLab::

    [LINE] Chat history with NAME          direct; "in NAME" for a group; localised
    Saved on: DATE TIME

    2018/07/10(Tue)                        or "Tue, 07/10/2018", "2023.01.05 Thursday"
    22:10<TAB>NAME<TAB>text                the time also as 午後10:10 or 10:10PM
    22:11<TAB>NAME<TAB>"text of
    several lines"                         quotation marks in it are doubled
    22:12<TAB>words of the app             also with a second <TAB> but no name

Exports of a computer have blanks in the place of tabs. Which of day and month comes first, the weekdays tell.
`layout` finds out how one file is written, `content` takes apart one text; this module yields the messages.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor, same_name
from selfchatbot.preprocessors.line.computer import is_about_somebody, is_notice, names_in
from selfchatbot.preprocessors.line.content import typed
from selfchatbot.preprocessors.line.days import TIME, day_of
from selfchatbot.preprocessors.line.layout import Layout, entries, scan
from selfchatbot.preprocessors.line.media import besides_text
from selfchatbot.preprocessors.reading.dates import Order, ambiguous_order, decide_orders
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.unique_names import visible


class LINE(Preprocessor):
    """LINE chats, one .txt each."""

    name: ClassVar[str] = "LINE"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    date_order: Order | None = Field(
        None, description="`dmy` or `mdy`, only needed when the days and weekdays in the files don't show it."
    )

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        layouts = [scan(file) for file in self.export_files(path)]
        self._decide_orders(layouts)
        # Exports of one chat come one after the other, the older first.
        for layout in sorted(layouts, key=lambda layout: (layout.chat, layout.begin, str(layout.path))):
            yield from chronological(self._read_file(layout, files))

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() not in cls.suffixes:
            return False
        text = head.decode(errors="replace").removeprefix("\ufeff")
        lines = [line.removesuffix("\r") for line in text.split("\n")[:20]]
        times = any((match := TIME.fullmatch(line)) and match["gap"] == "\t" for line in lines)
        days = any(day_of(line, following) for line, following in pairwise(lines))
        of_computer = len(lines) > 1 and bool(day_of(lines[0]) and TIME.fullmatch(lines[1]))
        return text.startswith("[LINE]") or (times and days) or of_computer

    def _decide_orders(self, layouts: list[Layout]) -> None:
        """Fix the order of day and month of each file: by the key, its weekdays, its days, its neighbours."""
        found = decide_orders([layout.evidence for layout in layouts], self.date_order)
        for layout, order in zip(layouts, found, strict=True):
            known: Order | None = "dmy" if layout.buddhist and "dmy" in layout.weekdays else layout.by_weekday()
            layout.order = self.date_order if self.date_order in layout.weekdays else known or order
            if layout.order is None:
                raise ambiguous_order(layout.path, "/".join(map(str, layout.first[:3])), self.name)

    def _read_file(self, layout: Layout, files: list[ExportFile]) -> Iterator[Message]:
        """The messages of one file in its order."""
        names = None if layout.tabs else self._names(layout)
        file = ExportFile(path=layout.path, chat=layout.chat, group=layout.group)
        others = [name for name in layout.names if same_name(name, layout.chat)]
        if layout.group is not True and len(layout.names) == 2 and len(others) == 1:
            file.me, file.group = next(name for name in layout.names if name != others[0]), False
        elif len(layout.names) > 2:
            file.group = True
        files.append(file)
        of_computer = layout.of_computer
        for time, rest in entries(layout, names):
            name, separator, text = rest.partition("\t") if names is None else _split(rest, names)
            if not separator or not name:
                continue
            name = visible(name)
            file.add(time)
            if (content := typed(text, name)) and not (of_computer and is_notice(content)):
                yield Message(time, name, content, layout.chat)
            elif media := besides_text(text):
                yield Message(time, name, "", layout.chat, media=media)
        file.notes.extend(layout.unread.notes())

    def _names(self, layout: Layout) -> list[str]:
        """The names in an export with blanks instead of tabs, the longest first."""
        names = {name for name in (layout.chat, self.username, *self.aliases) if name}
        unknown = [rest for rest in layout.sample if not any(rest.startswith(f"{name} ") for name in names)]
        if len(unknown) > 1 and layout.group is False:
            # In a direct chat all other lines begin with one name.
            first, last = min(unknown), max(unknown)
            same = next((at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
            names |= {first[:same].rpartition(" ")[0]} - {""}
        else:
            names |= names_in(unknown)
        ordered = sorted(names, key=len, reverse=True)
        layout.names.update(name for name, blank, _ in (_split(rest, ordered) for rest in layout.sample) if blank)
        return ordered


def _split(rest: str, names: list[str]) -> tuple[str, str, str]:
    """Name, separator and text where a blank separates them: a known name, or else the first word."""
    for name in names:
        if rest.startswith(f"{name} "):
            return name, " ", rest[len(name) + 1 :]
    return ("", "", "") if is_about_somebody(rest) else rest.partition(" ")
