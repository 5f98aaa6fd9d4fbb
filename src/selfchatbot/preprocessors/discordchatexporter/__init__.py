"""DiscordChatExporter plain text (``-f PlainText``, .txt), every layout from 2.4 to 2.47.

Grammar: ``PlainTextMessageWriter.cs`` and its neighbours in Tyrrrz/DiscordChatExporter, read through its whole history.
Imitators of the layout with other dates are read as well. `layout` finds out how one file is written, `sections` takes
apart the body of one message; this module walks the folder and yields the messages.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.dates import Order
from selfchatbot.preprocessors.discordchatexporter.dayorder import decide_orders
from selfchatbot.preprocessors.discordchatexporter.layout import Layout, scan
from selfchatbot.preprocessors.discordchatexporter.textfile import read_text

PARTITION = re.compile(r"(.*?)(?: \[part (\d+)\])?", re.DOTALL)


class DiscordChatExporter(Preprocessor):
    """Discord channels and direct messages, one .txt file each (or one per partition)."""

    name: ClassVar[str] = "DiscordChatExporter"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    date_order: Order | None = Field(
        None, description="`dmy`, `mdy` or `ymd`, only needed when the dates in the files don't show it."
    )

    def read(self, path: Path, files: list[ExportFile] | None = None) -> Iterator[Message]:
        seen: list[ExportFile] = [] if files is None else files
        layouts = [scan(file) for file in self.export_files(path)]
        decide_orders(
            layouts, self.date_order, lambda: self._neighbours(path), f"preprocessor_data.{self.name}.date_order"
        )
        layouts.sort(key=lambda layout: _channel(layout.path))
        for (_, chat), same_channel in groupby(layouts, key=lambda layout: _channel(layout.path)):
            # Partitions come in the order of their times, which is that of their numbers unless newest is first.
            for layout in sorted(same_channel, key=lambda layout: (layout.opening, _part_number(layout.path))):
                yield from read_text(layout, chat, seen)

    def _neighbours(self, path: Path) -> Iterator[Layout]:
        """The files beside ``path``, which is asked for alone, whose dates may say what its own don't."""
        for file in [] if path.is_dir() else self.export_files(path.parent):
            # What is wrong with another file is no reason not to read this one.
            with suppress(ExportError):
                if file != path:
                    yield scan(file)


def _channel(path: ExportPath) -> tuple[str, str]:
    match = PARTITION.fullmatch(path.stem)
    assert match is not None
    return str(path.parent), match[1]


def _part_number(path: ExportPath) -> int:
    match = PARTITION.fullmatch(path.stem)
    return int(match[2] or 1) if match else 1


__all__ = ["DiscordChatExporter"]
