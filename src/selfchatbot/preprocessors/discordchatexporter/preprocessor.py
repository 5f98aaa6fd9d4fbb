"""DiscordChatExporter plain text (``-f PlainText``, .txt), every layout from 2.4 to 2.47, JSON, CSV and HTML.

Grammar: ``PlainTextMessageWriter.cs`` and its neighbours in Tyrrrz/DiscordChatExporter, read through its whole history.
Imitators of the layout with other dates are read as well. `layout` finds out how one .txt is written, `message_body`
takes apart the body of one message, `jsonfile`, `csvfile` and `htmlfile` read the other kinds, `grouping` knows which
files belong together; this module walks the folder and yields the messages.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import ClassVar

from pydantic import Field

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.discordchatexporter.csvfile import HEAD, Table, read_table, scan_table
from selfchatbot.preprocessors.discordchatexporter.date_order import decide_orders
from selfchatbot.preprocessors.discordchatexporter.grouping import Export, channels
from selfchatbot.preprocessors.discordchatexporter.htmlfile import HtmlExport, look_html, read_html
from selfchatbot.preprocessors.discordchatexporter.jsonfile import JsonExport, look, read_json
from selfchatbot.preprocessors.discordchatexporter.layout import Layout, scan
from selfchatbot.preprocessors.discordchatexporter.textfile import read_text
from selfchatbot.preprocessors.reading.dates import Order
from selfchatbot.preprocessors.reading.lines import UTF8_BOM
from selfchatbot.preprocessors.reading.unique_names import Names

# Below such a folder lie the files that were sent in a channel (``--media``).
ASSETS = re.compile(r".*\.(?:txt|csv|json|html)_Files", re.IGNORECASE)
HEAD_OF_JSON = re.compile(rb'\s*\{\s*"guild":\s*\{')
HEAD_OF_TEXT = re.compile(rb"(?:https://\S+\s+)?={48,62}\r?\nGuild:")


class DiscordChatExporter(Preprocessor):
    """Discord channels and direct messages, one .txt, .json, .csv or .html file each (or one per partition)."""

    name: ClassVar[str] = "DiscordChatExporter"
    app: ClassVar[str] = "Discord"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".json", ".csv", ".html")

    date_order: Order | None = Field(
        None, description="`dmy`, `mdy` or `ymd`, only needed when the dates in the files don't show it."
    )

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        exports = [_seen(file) for file in self.export_files(path)]
        dated = [export for export in exports if not isinstance(export, JsonExport | HtmlExport)]
        decide_orders(dated, self.date_order, lambda: self._neighbours(path), self.name)
        names = Names()
        for channel in channels(exports, _size):
            start = len(files)
            for export in channel.exports:
                yield from _messages(export, channel.name, names, files)
            files[start].notes.extend(
                f"{double.name} is the same in another kind: left out" for double in channel.doubles
            )

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        head = head.removeprefix(UTF8_BOM)
        if path.suffix.lower() == ".html":
            return b"chatlog__" in head
        first = head.split(b"\n", 1)[0].rstrip(b"\r").decode(errors="replace")
        return bool(HEAD_OF_JSON.match(head) or HEAD_OF_TEXT.match(head) or HEAD.fullmatch(first))

    def _is_export(self, path: PurePath) -> bool:
        return super()._is_export(path) and not any(map(ASSETS.fullmatch, path.parts))

    def _neighbours(self, path: Path) -> Iterator[Layout | Table]:
        """The files beside ``path``, which is asked for alone, whose dates may say what its own don't."""
        for file in [] if path.is_dir() else self.export_files(path.parent):
            # What is wrong with another file is no reason not to read this one.
            with suppress(ExportError):
                if file != path and not isinstance(near := _seen(file), JsonExport | HtmlExport):
                    yield near


def _seen(path: ExportPath) -> Export:
    """What a first look at a file shows. Raises ExportError for what is no such export."""
    kind = path.suffix.lower()
    if kind == ".html":
        return look_html(path)
    return look(path) if kind == ".json" else scan_table(path) if kind == ".csv" else scan(path)


def _messages(export: Export, chat: str, names: Names, files: list[ExportFile]) -> Iterator[Message]:
    if isinstance(export, HtmlExport):
        return read_html(export, chat, names, files)
    if isinstance(export, JsonExport):
        return read_json(export, chat, names, files)
    if isinstance(export, Table):
        return read_table(export, chat, names, files)
    return read_text(export, chat, files)


def _size(export: Export) -> int:
    """How many messages of any kind an export holds, as far as it can be read."""
    files: list[ExportFile] = []
    with suppress(ExportError):
        for _ in _messages(export, "", Names(), files):
            pass
    return sum(file.messages for file in files)


__all__ = ["DiscordChatExporter"]
