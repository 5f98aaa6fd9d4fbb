"""DiscordChatExporter JSON (``-f Json``, .json), since 2.18.

Grammar: ``JsonMessageWriter.cs``. ``messageCount`` is the last key: a killed export lacks it and its closing brackets.
Kept are the types ``Default`` and ``Reply``; calls, pins, joins and everything that has a number for its type are not
typed by anybody. A forwarded message stands in a key of its own. Times become UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.media import CALL, STICKER, by_name
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import is_newest_first
from selfchatbot.preprocessors.reading.reverse import Row, oldest_first
from selfchatbot.preprocessors.reading.unique_names import Names

PLACES = ("guild", "channel", "messages[]", "messageCount")
TYPED = ("Default", "Reply")
LOOKED_AT = 100
"""Messages whose times show the direction of a file."""
EPOCH = datetime(1970, 1, 1)
OFFSET = re.compile(r"[+-]\d\d:[0-5]\d", re.ASCII)
CUT_SHORT = "the export was cut short: what it has was read; export it again for the rest"


@dataclass(slots=True)
class JsonExport:
    """What the first messages of a file show."""

    path: ExportPath
    channel: str
    """The id of the channel."""
    group: bool | None = None
    opening: datetime = datetime.max
    """When the first message was sent, of those that were looked at."""
    newest_first: bool = False


def look(path: ExportPath) -> JsonExport:
    """Read the beginning of a file. Raises ExportError for what is no such export."""
    export: JsonExport | None = None
    times: list[datetime] = []
    try:
        for place, value in json_values(path, *PLACES):
            if place == "channel":
                export = _channel(value, path)
            elif place == "messages" and export is not None:
                for number, record in enumerate(islice(value, LOOKED_AT), 1):
                    times.append(utc(_record(record, path, number).get("timestamp"), path, number))
                break
    except CutShortError:
        if export is None:
            raise
    except NoObjectError:
        pass
    if export is None:
        raise ExportError(
            f'{path}: no JSON of DiscordChatExporter, expected "guild", "channel" and "messages": export the channel '
            f"with the format JSON (Discord's own data package has only your messages and can't be used), or remove "
            f"the file"
        )
    export.opening = min(times, default=datetime.max)
    export.newest_first = is_newest_first(times)
    return export


def _channel(value: Any, path: ExportPath) -> JsonExport:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise ExportError(f'{path}: "channel" has no id: export it again')
    kind = value.get("type")
    return JsonExport(path, value["id"], group=kind != "DirectTextChat" if isinstance(kind, str) else None)


def read_json(export: JsonExport, chat: str, names: Names, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, oldest first."""
    file = ExportFile(path=export.path, chat=chat, group=export.group)
    files.append(file)
    rows = _rows(file, names)
    for time, author, *rest in oldest_first(_plain(rows)) if export.newest_first else rows:
        timestamp = time if isinstance(time, datetime) else datetime.fromisoformat(time)
        content, number, answered, edited, media = rest
        yield Message(timestamp, author, content, chat, number, answered, edited, media)
    if file.declared is not None and file.declared != file.messages:
        file.notes.append(f"the export states {file.declared:,} messages, {file.messages:,} were found")


def _plain(rows: Iterator[Row]) -> Iterator[Row]:
    return ((time.isoformat(), *rest) for time, *rest in rows)


def _rows(file: ExportFile, names: Names) -> Iterator[Row]:
    """Time, author, content, id, the id that is answered, the time of the edit and media, of each message of people."""
    try:
        for place, value in json_values(file.path, *PLACES):
            if place == "messages":
                for record in value:
                    file.messages += 1
                    if row := _row(_record(record, file.path, file.messages), file, names):
                        yield row
            elif place == "messageCount" and isinstance(value, int):
                file.declared = value
    except CutShortError:
        file.notes.append(CUT_SHORT)


def _row(record: dict[str, Any], file: ExportFile, names: Names) -> Row | None:
    time = utc(record.get("timestamp"), file.path, file.messages)
    file.cover(time)
    kind, content = record.get("type"), record.get("content")
    if not isinstance(content, str | None):
        raise _wrong(file.path, file.messages, '"content" is no text')
    media = _besides_text(record)
    if not content or content.isspace():
        content = ""
    if not (content or media) or kind not in (TYPED if media != CALL else ("Call",)):
        return None
    if media == CALL:
        content = ""  # "Started a call that lasted 5 minutes."
    reference = record.get("reference")
    answered = reference.get("messageId") if kind == "Reply" and isinstance(reference, dict) else None
    number = record.get("id")
    if not isinstance(number, str | None) or not isinstance(answered, str | None):
        raise _wrong(file.path, file.messages, "an id is no text")
    edited = 0
    if changed := record.get("timestampEdited"):
        edited = int((utc(changed, file.path, file.messages) - EPOCH).total_seconds())
    return time, _author(record.get("author"), file, names), content, number, answered, edited, media


def _besides_text(record: dict[str, Any]) -> str:
    """The kind of the first attachment or sticker, see `preprocessors.media`."""
    if record.get("type") == "Call":
        return CALL
    attachments = record.get("attachments")
    if isinstance(attachments, list) and attachments and isinstance(attachments[0], dict):
        return by_name(str(attachments[0].get("fileName")))
    return STICKER if record.get("stickers") else ""


def _author(author: Any, file: ExportFile, names: Names) -> str:
    """``name#1234``, or ``name`` for accounts without a number, as the other kinds of export write it."""
    name = author.get("name") if isinstance(author, dict) else None
    if not isinstance(name, str):
        raise _wrong(file.path, file.messages, '"author" has no name')
    discriminator = author.get("discriminator")
    if isinstance(discriminator, int):
        discriminator = f"{discriminator:04}"  # A number in 2.25 and 2.26.
    if isinstance(discriminator, str) and discriminator.strip("0"):
        name = f"{name}#{discriminator}"
    # One webhook has many names, which are meant to be different people.
    return names.of(f"{author.get('id')} {name}" if author.get("isBot") is True else str(author.get("id")), name)


def utc(timestamp: Any, path: ExportPath, number: int) -> datetime:
    """ISO 8601 with an offset, as naive UTC. Raises ExportError with file and ``number`` of the message."""
    try:
        if (offset := _offset(timestamp[-6:])) is not None:
            # Many times faster than through a time zone.
            return datetime.fromisoformat(timestamp[:-6]) - offset
        return datetime.fromisoformat(timestamp).astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _wrong(path, number, '"timestamp" is no date like 2024-01-31T18:00:00+00:00') from None


@lru_cache(maxsize=256)
def _offset(text: str) -> timedelta | None:
    return timedelta(hours=int(text[:3]), minutes=int(text[0] + text[4:])) if OFFSET.fullmatch(text) else None


def _record(record: Any, path: ExportPath, number: int) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise _wrong(path, number, "it is no object")
    return record


def _wrong(path: ExportPath, number: int, problem: str) -> ExportError:
    return ExportError(f"{path}, message {number:,}: {problem}: export it again")
