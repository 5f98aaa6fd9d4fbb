"""The chats of one result.json; its grammar is described in `preprocessor`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.media import VOICE, transcript
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import chronological, oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.telegram.media import besides_text
from selfchatbot.preprocessors.telegram.text import plain_text

PLACES = (
    "personal_information",
    *(
        f"{around}{key}"
        for around in ("", "chats.list[].", "left_chats.list[].")
        for key in ("name", "type", "id", "messages[]")
    ),
)
NOT_TYPED = frozenset(("forwarded_from", "saved_from", "via_bot"))
NAME = "name "
"""Stands before a name that is all there is of an id."""
MAX_DIGITS = 15
"""Of a Unix time that can be one."""
AHEAD = 5_000
"""Messages that a chat of two is searched for its other side, which tells who I am."""


def first_chat(path: ExportPath) -> tuple[str, str]:
    """The id of the first chat and the date of its first message."""
    chat = ""
    try:
        for place, value in json_values(path, *PLACES):
            if place.endswith("id"):
                chat = str(value)
            elif place.endswith("messages"):
                first = next(value, None)
                return chat, str(first.get("date", "")) if isinstance(first, dict) else ""
    except (CutShortError, NoObjectError):
        pass
    return chat, ""


def read_json(path: ExportPath, accounts: Names, chats: Names, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, one ExportFile for each chat in it."""
    me: str | None = None
    header: dict[str, Any] = {}
    chat: _Chat | None = None
    try:
        for place, value in json_values(path, *PLACES):
            key = place.rpartition(".")[2]
            if key == "personal_information":
                me = _owner(value, accounts, path)
            elif key == "messages":
                chat = _Chat(path, header, accounts, chats)
                chat.file.me = me
                files.append(chat.file)
                yield from chronological(chat.messages(value))
                if chat.kind == "saved_messages":
                    me = me or chat.file.me
                header = {}
            else:
                header[key] = value
    except CutShortError:
        if chat is None:
            raise
        chat.file.notes.append("the export was cut short: what it has was read; export it again for the rest")
    except NoObjectError:
        pass
    if chat is None:
        raise ExportError(
            f'{path}: no chat of a Telegram export in it, expected "messages" or "chats": export it again with chats, '
            f"or remove the file"
        )


def _owner(information: Any, accounts: Names, path: ExportPath) -> str | None:
    """The name of the account that was exported."""
    if not isinstance(information, dict) or not isinstance(information.get("user_id"), int):
        return None
    names = (information.get("first_name"), information.get("last_name"))
    if not all(isinstance(name, str | None) for name in names):
        raise ExportError(f'{path}: "personal_information" has names that are no text: export it again')
    return accounts.of(f"user{information['user_id']}", " ".join(name for name in names if name) or None)


class _Chat:
    """One chat of a file."""

    def __init__(self, path: ExportPath, header: dict[str, Any], accounts: Names, chats: Names) -> None:
        name, self.kind, number = (header.get(key) for key in ("name", "type", "id"))
        if not isinstance(name, str | None) or not isinstance(self.kind, str | None):
            raise ExportError(f"{path}: a chat whose name or type is no text: export it again")
        self._accounts = accounts
        self._own = f"user{number}"
        of_two = self.kind in ("personal_chat", "bot_chat", "saved_messages", "replies")
        key = self._own if of_two else f"chat{number}"
        if self.kind == "saved_messages":
            name = "Saved Messages"
        self.file = ExportFile(path, chats.of(key, name), group=not of_two if self.kind else None)

    def messages(self, records: Iterator[Any]) -> Iterator[Message]:
        """What was typed, by time."""
        file = self.file
        if self.kind == "saved_messages":
            self._pass_over(records)
            return
        rows = oldest_to_newest(self._rows(records))
        if file.me is None and self.kind in ("personal_chat", "bot_chat"):
            rows = self._with_me(rows)
        for _, date, (_, author), content, number, answered, edited, media in rows:
            time = datetime.fromisoformat(date)
            file.cover(time)
            if media or content.strip():
                content = content if content.strip() else ""  # noqa: PLW2901
                yield Message(time, author, content, file.chat, number, answered, edited, media)

    def _rows(self, records: Iterator[Any]) -> Iterator[Row]:
        """Unix time, date, author's id and name, text, id, the id that is answered, time of the last edit, media.

        One without a Unix time, as in old versions, has that of the one before.
        """
        file, seconds = self.file, 0
        for record in records:
            file.messages += 1
            if not isinstance(record, dict):
                raise self._error(None, "it is no object")
            if record.get("action") == "phone_call":
                record = {**record, "from": record.get("actor"), "from_id": record.get("actor_id"), "text": ""}  # noqa: PLW2901
            elif record.get("type") != "message":
                continue
            seconds = _seconds(record, "date") or seconds
            content, media = "", ""
            if NOT_TYPED.isdisjoint(record):
                content, media = self._text(record), besides_text(record)
                if media == VOICE and (said := transcript(file.path, str(record.get("file")))):
                    content, media = f"{said}\n{content}".strip(), ""
            answered = None if "reply_to_peer_id" in record else record.get("reply_to_message_id")
            number = _number(record.get("id"))
            edited = _seconds(record, "edited") if "edited" in record else 0
            yield seconds, self._date(record), self._author(record), content, number, _number(answered), edited, media

    def _pass_over(self, records: Iterator[Any]) -> None:
        """Saved Messages: notes to myself, but they know who I am."""
        for record in records:
            self.file.messages += 1
            if self.file.me is None and isinstance(record, dict) and record.get("from_id") is not None:
                key, name = self._author(record)
                self.file.me = name if key == self._own else None
        self.file.notes.append("Saved Messages are notes to yourself, which nobody answers: left out")

    def _with_me(self, rows: Iterator[Row]) -> Iterator[Row]:
        """``rows`` again, after who I am was found out from the first of them, if they say it."""
        ahead: list[Row] = []
        cut: CutShortError | None = None
        try:
            ahead.extend(islice(rows, AHEAD))
        except CutShortError as error:
            cut = error
        self.file.me = self._other_side(dict(row[2] for row in ahead))
        yield from ahead
        if cut is not None:
            raise cut
        yield from rows

    def _other_side(self, sides: dict[str, str]) -> str | None:
        """In a chat of two, whose id is that of the other one, my name. ``sides``: the names by id."""
        mine = [name for key, name in sides.items() if key != self._own and not key.startswith(NAME)]
        return mine[0] if len(mine) == 1 and (self._own in sides or self.kind == "personal_chat") else None

    def _author(self, record: dict[str, Any]) -> tuple[str, str]:
        """The id and the name of who sent a message."""
        number, name = record.get("from_id"), record.get("from")
        if not isinstance(number, str | int | None) or not isinstance(name, str | None):
            raise self._error(record, '"from" is no text')
        if isinstance(number, int):
            number = f"user{number}"
        elif number is None:
            # Posts of a channel, in old versions.
            name = name or self.file.chat
            number = f"{NAME}{name}"
        return number, self._accounts.of(number, name)

    def _date(self, record: dict[str, Any]) -> str:
        """The wall-clock time of the computer that exported; where only the Unix time is left, that as UTC."""
        try:
            if isinstance(date := record.get("date"), str):
                time = datetime.fromisoformat(date)
                return date if time.tzinfo is None else time.replace(tzinfo=None).isoformat()
            return datetime.fromtimestamp(int(record["date_unixtime"]), UTC).replace(tzinfo=None).isoformat()
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            raise self._error(record, '"date" is no date like 2024-01-31T18:00:00') from None

    def _text(self, record: dict[str, Any]) -> str:
        try:
            return plain_text(record)
        except (TypeError, KeyError):
            raise self._error(record, '"text" is no text') from None

    def _error(self, record: dict[str, Any] | None, problem: str) -> ExportError:
        number = None if record is None else _number(record.get("id"))
        place = f"message id {number}" if number else f"message {self.file.messages} of a chat"
        return ExportError(f"{self.file.path}, {place}: {problem}: export it again")


def _seconds(record: dict[str, Any], key: str) -> int:
    """The Unix time beside a date; 0 where there is none, as in old versions."""
    stated = record.get(f"{key}_unixtime")
    return int(stated) if isinstance(stated, str) and len(stated) < MAX_DIGITS and stated.isdecimal() else 0


def _number(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
