"""Skype, and Microsoft Teams for personal accounts: ``messages.json`` of "Export chat history".

Grammar: suurjaak/Skyperious (``live.py``), siwen-r/skype-export-parser (``SkypeExport.d.ts``), public descriptions of
the download of Teams, which has the same shape. ``{"userId", "exportDate", "conversations": [{"id", "displayName",
"threadProperties", "MessageList": [...]}]}``, newest message first. Ids begin with ``8:`` for people, ``28:`` for
programs, ``19:`` for groups, ``48:`` for lists of my own. Of the kinds of messages (``messagetype``), ``Text``,
``RichText`` and ``RichText/Html`` were typed, unless ``properties`` have a ``deletetime``. An edited message is there
once more, with the time of its first version in its text (`text`).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import iso_milliseconds, moment
from selfchatbot.preprocessors.skype.text import besides_text, edited, typed

EXPORT = re.compile(r"messages\b.*\.json", re.IGNORECASE)
OWN = re.compile(rb'"(?:userId|exportDate)"\s*:\s*"')
AROUND = "conversations[]."
PLACES = ("userId", *(f"{AROUND}{key}" for key in ("id", "displayName", "threadProperties.topic", "MessageList[]")))
TYPED = ("Text", "RichText", "RichText/Html")
PERSON, GROUP, MY_LISTS = "8:", "19:", "48:"


class Skype(Preprocessor):
    """Chats and groups of Skype. ``username`` is a name or the id of an account, as ``live:rowan``."""

    name: ClassVar[str] = "Skype"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    _people: Names = PrivateAttr(default_factory=Names)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._people, chats = Names(), Names()
        exports = self.export_files(path)
        with Sorter(path) as sorter:
            known = _Known()
            for number, export in enumerate(exports):
                known.load(export, number, sorter)
            for key, sent in sorter.chats():
                other = self._person(key, known) if key.startswith(PERSON) else known.titles.get(key, "")
                file: ExportFile | None = None
                for message in sent:
                    if file is None:
                        file = ExportFile(exports[message.file], chats.of(key, other or key))
                        file.group = True if key.startswith(GROUP) else False if key.startswith(PERSON) else None
                        file.me = self._person(known.me, known) if known.me else None
                        file.notes, known.notes = known.notes, []
                        files.append(file)
                    file.add(moment(message.time))
                    if message.text or message.media:
                        time, author = moment(message.time), self._person(message.author, known)
                        yield Message(time, author, message.text, file.chat, media=message.media)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return path.suffix.lower() == ".json" and OWN.search(head[:2000]) is not None and b'"conversations"' in head

    def export_files(self, path: Path) -> list[ExportPath]:
        """The files with messages; the others describe media."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if EXPORT.fullmatch(file.name)]

    def is_me(self, author: str) -> bool:
        """As for every format, also by id."""
        return any(map(super().is_me, self._people.forms(author)))

    def _person(self, key: str, known: "_Known") -> str:
        bare = key.removeprefix(PERSON)
        return self._people.of(bare, known.names.get(key) or known.titles.get(key) or bare)


class Teams(Skype):
    """Chats and groups of Microsoft Teams, of a personal account."""

    name: ClassVar[str] = "Teams"


class _Known:
    """What the files say about people and chats."""

    def __init__(self) -> None:
        self.me = ""
        self.names: dict[str, str] = {}
        """Of people, by id, as their own messages have them."""
        self.titles: dict[str, str] = {}
        """Of chats, by id."""
        self.notes: list[str] = []

    def load(self, path: ExportPath, file: int, sorter: Sorter) -> None:
        """Put the messages of a file into ``sorter``."""
        chat, found = "", False
        try:
            for place, value in json_values(path, *PLACES):
                key = place.removeprefix(AROUND)
                if key == "MessageList":
                    found = True
                    for count, record in enumerate(value, 1):
                        try:
                            self._take(record, chat, file, sorter)
                        except (TypeError, KeyError, ValueError, AttributeError):
                            raise ExportError(
                                f'{path}, message {count:,} of a conversation: its "originalarrivaltime", "from" or '
                                '"content" is not as expected: export it again'
                            ) from None
                    continue
                if not isinstance(value, str | None):
                    raise ExportError(f"{path}: a conversation whose {key} is no text: export it again")
                if key == "userId":
                    self.me = _person_id(value or "")
                elif key == "id":
                    chat = value or ""
                elif value:
                    self.titles.setdefault(chat, value)
        except CutShortError:
            if not found:
                raise
            self.notes.append("the export is cut short: what it has was read; export it again for the rest")
        except NoObjectError:
            found = False
        if not found:
            raise ExportError(
                f'{path}: no "conversations" of Skype or Teams in it: export it again, or remove the file'
            )

    def _take(self, record: dict[str, Any], chat: str, file: int, sorter: Sorter) -> None:
        author, content = _person_id(record["from"] or ""), record.get("content") or ""
        arrived = iso_milliseconds(record["originalarrivaltime"])
        if chat.startswith(MY_LISTS):
            return
        if name := record.get("displayName"):
            if not isinstance(name, str):
                raise TypeError
            self.names.setdefault(author, name)
        properties = record.get("properties") or {}
        if isinstance(properties, str):
            properties = json.loads(properties)
        kind, deleted, time = record["messagetype"], properties.get("deletetime"), arrived
        text = ""
        if kind in TYPED:
            time = min(arrived, edited(content) or arrived)
            text = "" if deleted else typed(content)
        media = besides_text(kind, content) if isinstance(kind, str) and not deleted else ""
        sorter.add(Sent(chat, time, author, text, f"{time} {author}", None, file, arrived, media))


def _person_id(key: str) -> str:
    """In old exports, the ids of people have no prefix."""
    return key if key[:1].isdigit() and ":" in key[:3] else f"{PERSON}{key}"
