"""The messages of one .txt."""

from collections.abc import Iterator
from datetime import datetime

from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.discordchatexporter import message_body
from selfchatbot.preprocessors.discordchatexporter.layout import Layout, Part, parts
from selfchatbot.preprocessors.discordchatexporter.pasted import Header
from selfchatbot.preprocessors.reading.reverse import oldest_first


def read_text(layout: Layout, chat: str, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, oldest first. What was seen is appended to ``files``."""
    file = ExportFile(path=layout.path, chat=chat, declared=layout.declared)
    files.append(file)
    rejected = layout.pasted_headers()
    for (time, author, _), body in _oldest_first(layout, rejected):
        file.add(time)
        found = message_body.parts(body, layout.gap, layout.bare_attachments, layout.grouped)
        content, media = message_body.without_notice(*found)
        if content or media:
            yield Message(time, author, content, chat, media=media)
    if rejected:
        file.notes.append(f"{len(rejected)} message header(s) inside other messages read as pasted text")
    if layout.unfinished:
        file.notes.append("no last line with the count: the export was cut short")
    if file.declared is not None and file.declared != file.messages and not layout.grouped:
        file.notes.append(f"the export states {file.declared:,} messages, {file.messages:,} were found")


def _oldest_first(layout: Layout, rejected: set[int]) -> Iterator[Part]:
    found = parts(layout, rejected)
    if not layout.newest_first:
        yield from found
        return
    rows = ((header.time.isoformat(), header.author, body) for header, body in found)
    for time, author, body in oldest_first(rows):
        yield Header(datetime.fromisoformat(time), author), body
