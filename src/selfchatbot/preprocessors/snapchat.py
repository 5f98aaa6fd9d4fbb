"""Snapchat's "My Data": ``json/chat_history.json``, with ``account.json`` and ``friends.json`` beside it.

Grammar: abrignoni/RLEAPP (``snapChathistory.py``, ``snapAccountinfo.py``, ``snapFriendsjson.py``),
raleighlittles/Snapchat-Chats-And-Location-Analyzer, and public descriptions of the download. The file is an object with
a list of messages for each chat, newest first; its key is the other one's user name, or the id of a group. A message
has ``From``, ``Created`` ("2024-04-20 01:29:22 UTC"), ``Media Type``, of which only ``TEXT`` was typed, ``Content``,
``IsSender``, and in groups ``Conversation Title``. Older downloads have four lists, ``Received Saved Chat History`` and
so on, of messages with ``From`` or ``To`` and ``Text``, in which HTML stands for some characters. A message that nobody
saved has no text.
"""

import html
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.media import LOCATION, MEDIA, PHOTO, STICKER, VIDEO
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import EPOCH, MILLISECOND, moment

CHATS, ACCOUNT, FRIENDS = "chat_history.json", "account.json", "friends.json"
LISTS = {f"{way} {kind} Chat History": way == "Sent" for way in ("Sent", "Received") for kind in ("Saved", "Unsaved")}
"""The lists of older downloads, and whether I sent what is in them."""
ME = "Me"
TYPED = "TEXT"
KINDS = {
    "MEDIA": MEDIA,
    "NOTE": MEDIA,
    "IMAGE": PHOTO,
    "PHOTO": PHOTO,
    "VIDEO": VIDEO,
    "STICKER": STICKER,
    "LOCATION": LOCATION,
}
"""What a message was that was not typed. Others are shared links and what Snapchat writes about a chat."""


class Snapchat(Preprocessor):
    """Chats and groups of Snapchat. ``username`` is a display name or a user name."""

    name: ClassVar[str] = "Snapchat"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    companions: ClassVar[tuple[str, ...]] = (ACCOUNT, FRIENDS)

    _people: Names = PrivateAttr(default_factory=Names)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._people, chats = Names(), Names()
        exports = self.export_files(path)
        known = _Known(self._people)
        tables = super().export_files(path) if exports != [path] else [path.with_name(ACCOUNT), path.with_name(FRIENDS)]
        known.learn([table for table in tables if table != path and table.is_file()])
        with Sorter(path) as sorter:
            for number, export in enumerate(exports):
                _load(export, number, sorter, known)
            for key, sent in sorter.chats():
                title = known.titles.get(key)
                name = chats.of(key, title or self._people.of(key, key))
                file: ExportFile | None = None
                for message in sent:
                    if file is None:
                        file = ExportFile(exports[message.file], name, group=known.is_group(key))
                        file.me = None if known.me is None else self._people.of(known.me, known.me)
                        file.notes, known.notes = known.notes, []
                        files.append(file)
                    file.add(moment(message.time))
                    text = message.text if not message.text.isspace() else ""
                    if text or message.media:
                        author = self._people.of(message.author, message.author)
                        yield Message(moment(message.time), author, text, name, media=message.media)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return path.name == CHATS and b'"Media Type"' in head and b'"Created"' in head

    def export_files(self, path: Path) -> list[ExportPath]:
        """The files with chats."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if file.name == CHATS]

    def is_me(self, author: str) -> bool:
        """As for every format, also by user name."""
        return any(map(super().is_me, self._people.forms(author)))


@dataclass(slots=True)
class _Known:
    """What the files say about people and chats."""

    people: Names
    me: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    """Of groups."""
    senders: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def learn(self, tables: list[ExportPath]) -> None:
        """Read the names in ``account.json`` and ``friends.json``."""
        for table in tables:
            if table.name == ACCOUNT:
                for _, about in _values(table, "Basic Information"):
                    self.me = self._learn(about, "Username", "Name") or self.me
        for table in tables:
            if table.name == FRIENDS:
                for _, friends in _values(table, "Friends[]", "Deleted Friends[]"):
                    for friend in friends:
                        if key := self._learn(friend, "Username", "Display Name"):
                            self.senders.add(key)

    def is_group(self, key: str) -> bool | None:
        """Chats of two have the other one's user name as their key; a group without a name is not told."""
        return True if key in self.titles else False if key in self.senders else None

    def _learn(self, person: Any, *keys: str) -> str | None:
        key, name = (person.get(one) for one in keys) if isinstance(person, dict) else (None, None)
        if not isinstance(key, str) or not key:
            return None
        self.people.of(key, name if isinstance(name, str) and name else key)
        return key


def _values(path: ExportPath, *places: str) -> Iterator[tuple[str, Any]]:
    """The values at ``places``; none in what is no table of Snapchat, since they are only names."""
    with suppress(CutShortError, NoObjectError):
        yield from json_values(path, *places)


def _load(path: ExportPath, file: int, sorter: Sorter, known: _Known) -> None:
    key, count = "", 0
    try:
        for _, value in json_values(path, "*", "*[]"):
            if isinstance(value, str):
                key, count = value, 0
                continue
            for record in value:
                count += 1
                try:
                    sorter.add(
                        _old(record, LISTS[key], file, known) if key in LISTS else _new(record, key, file, known)
                    )
                except (TypeError, KeyError, ValueError, AttributeError):
                    raise ExportError(
                        f'{path}, message {count:,} of a chat: its "From", "Created" or "Content" is not as expected: '
                        "request the download again"
                    ) from None
    except CutShortError:
        known.notes.append("the download is cut short: what it has was read; request it again for the rest")
    except NoObjectError:
        raise ExportError(f"{path}: no object of chats: request the download again, or remove the file") from None


def _new(record: dict[str, Any], chat: str, file: int, known: _Known) -> Sent:
    author, title = record["From"], record.get("Conversation Title")
    if record.get("IsSender") is True:
        known.me = known.me or _text(author)
    else:
        known.senders.add(_text(author))
    if _text(title):
        known.titles[chat] = _text(title)
    # One second has many messages; this number, in spite of its name, counts milliseconds.
    time, exact = _time(record["Created"]), record.get("Created(microseconds)")
    if isinstance(exact, int) and 0 <= exact - time < 1000:
        time = exact
    typed = _text(record.get("Content")) if record["Media Type"] == TYPED else ""
    return Sent(chat, time, _text(author), typed, None, None, file, media=_besides_text(record))


def _old(record: dict[str, Any], is_mine: bool, file: int, known: _Known) -> Sent:
    other = _text(record["To" if is_mine else "From"])
    known.senders.add(other)
    if is_mine:
        known.me = known.me or ME
    typed = html.unescape(_text(record.get("Text"))) if record["Media Type"] == TYPED else ""
    author = known.me if is_mine and known.me else other
    return Sent(other, _time(record["Created"]), author, typed, None, None, file, media=_besides_text(record))


def _besides_text(record: dict[str, Any]) -> str:
    """The kind, as in `preprocessors.media`."""
    return KINDS.get(_text(record["Media Type"]), "")


def _time(value: object) -> int:
    time = datetime.fromisoformat(_text(value).removesuffix(" UTC"))
    if time.tzinfo is not None:
        raise ValueError("no time of Snapchat")
    return (time - EPOCH) // MILLISECOND


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError
    return value or ""
