"""DiscordChatExporter plain text (``-f PlainText``, .txt), every layout from 2.4 to 2.47.

Grammar: ``PlainTextMessageWriter.cs`` and its neighbours in Tyrrrz/DiscordChatExporter, read through its whole history.
Imitators of the layout with other dates are read as well. `layout` finds out how one file is written, `sections` takes
apart the body of one message; this module walks the folder and yields the messages.
"""

import re
from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from selfchatbot.errors import ParametersError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.dates import Order, orders
from selfchatbot.preprocessors.discordchatexporter.layout import Header, Layout, Part, parts, scan
from selfchatbot.preprocessors.discordchatexporter.sections import is_system, typed

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
        self._decide_orders(layouts, path)
        layouts.sort(key=lambda layout: _channel(layout.path))
        for (_, chat), same_channel in groupby(layouts, key=lambda layout: _channel(layout.path)):
            # Partitions come in the order of their times, which is that of their numbers unless newest is first.
            for layout in sorted(same_channel, key=lambda layout: (layout.earliest, _part_number(layout.path))):
                yield from _read_file(layout, chat, seen)

    def _decide_orders(self, layouts: list[Layout], path: Path) -> None:
        """Fix the order of day and month of each file: by the key, its own evidence, its neighbours, its shape."""
        decided: dict[str, Order] = {}
        for layout in layouts:
            if layout.evidence is None:
                continue
            possible = orders(layout.evidence.shape)
            if self.date_order in possible:
                layout.order = self.date_order
            elif order := layout.evidence.decide():
                layout.order = order
                if len(possible) > 1:
                    decided.setdefault(layout.evidence.shape, order)
        undecided = [layout for layout in layouts if layout.evidence is not None and layout.order is None]
        if undecided and not decided and not path.is_dir():
            # A file asked for alone: its neighbours may know.
            for neighbour in map(scan, self.export_files(path.parent)):
                if (
                    neighbour.evidence
                    and len(orders(neighbour.evidence.shape)) > 1
                    and (o := neighbour.evidence.decide())
                ):
                    decided.setdefault(neighbour.evidence.shape, o)
        for layout in undecided:
            assert layout.evidence is not None
            layout.order = decided.get(layout.evidence.shape) or layout.evidence.guess()
            if layout.order is None and len(set(decided.values())) == 1:
                layout.order = next(iter(decided.values()))
            if layout.order is None:
                raise ParametersError(
                    f"{layout.path}: its dates can be day/month as well as month/day (first: [{layout.first_date}]): "
                    f'set preprocessor_data.{self.name}.date_order to "dmy" or "mdy"'
                )


def _read_file(layout: Layout, chat: str, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, oldest first."""
    file = ExportFile(path=layout.path, chat=chat, declared=layout.declared)
    files.append(file)
    rejected = layout.pasted_headers()
    stream: Iterator[Part]
    if layout.newest_first:
        segments: Iterator[list[Part]] = (list(reversed(segment)) for segment in layout.segments_from_end(rejected))
        stream = chain.from_iterable(segments)
    else:
        stream = parts(layout, rejected)
    for header, body in stream:
        file.messages += 1
        file.first = min(file.first or header.time, header.time)
        file.last = max(file.last or header.time, header.time)
        content = typed(body, layout.bare_attachments)
        if content and not is_system(content):
            yield Message(header.time, header.author, content, chat)
    if rejected:
        file.notes.append(f"{len(rejected)} message header(s) inside other messages read as pasted text")
    if layout.evidence is not None and layout.framed and layout.declared is None:
        file.notes.append("no last line with the count: the export was cut short")
    if file.declared is not None and file.declared != file.messages:
        file.notes.append(f"the export states {file.declared:,} messages, {file.messages:,} were found")


def _channel(path: ExportPath) -> tuple[str, str]:
    match = PARTITION.fullmatch(path.stem)
    assert match is not None
    return str(path.parent), match[1]


def _part_number(path: ExportPath) -> int:
    match = PARTITION.fullmatch(path.stem)
    return int(match[2] or 1) if match else 1


__all__ = ["DiscordChatExporter", "Header"]
