"""Google Chat from Google Takeout: ``Google Chat/Groups/<DM id | Space id>/messages.json`` for each chat.

Grammar: abrignoni/RLEAPP (``googleChat.py``) and public descriptions of the download. A message has a ``creator``
(name, email, ``user_type``), a ``created_date`` in English and UTC, and the ``text``; a deleted one has only a
``deleted_date``. ``group_info.json`` beside it names the chat and its members, ``Users/User id/user_info.json`` whoever
made the download.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.media import by_name
from selfchatbot.preprocessors.reading.dates import MONTHS
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import EPOCH, MILLISECOND, moment

MESSAGES, GROUP_INFO, USER_INFO = "messages.json", "group_info.json", "user_info.json"
DATE = re.compile(
    r"\w+, (?:(?P<month>\w+) (?P<day>\d{1,2}), (?P<year>\d{4})|(?P<day2>\d{1,2}) (?P<month2>\w+) (?P<year2>\d{4}))"
    r" at (?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?: (?P<half>[AP]M))? UTC"
)
UNNAMED = "Group Chat"


class GoogleChat(Preprocessor):
    """Direct messages and spaces of Google Chat. ``username`` is a name or an email address."""

    name: ClassVar[str] = "GoogleChat"
    app: ClassVar[str] = "Google Chat"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    companions: ClassVar[tuple[str, ...]] = (GROUP_INFO, USER_INFO)

    _people: Names = PrivateAttr(default_factory=Names)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._people, chats = Names(), Names()
        tables = super().export_files(path)
        infos = {PurePath(str(file)).parent: file for file in tables if file.name == GROUP_INFO}
        me = next((_owner(file) for file in tables if file.name == USER_INFO), None)
        # Downloads made at different times have the same folders.
        for file in sorted(self.export_files(path), key=lambda file: PurePath(str(file)).parent.name):
            folder = PurePath(str(file)).parent
            yield from self._chat(file, folder.name, infos.get(folder), me, chats, files)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return path.name == MESSAGES and b'"creator"' in head and b'"created_date"' in head

    def export_files(self, path: Path) -> list[ExportPath]:
        """The messages of the chats."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if file.name == MESSAGES]

    def is_me(self, author: str) -> bool:
        """As for every format, also by email address."""
        return any(map(super().is_me, self._people.forms(author)))

    def _chat(
        self,
        path: ExportPath,
        folder: str,
        info: ExportPath | None,
        me: tuple[str, str] | None,
        chats: Names,
        files: list[ExportFile],
    ) -> Iterator[Message]:
        name, members = _described(info)
        others = [member for member in members if member != me]
        if name in ("", UNNAMED):
            name = ", ".join(shown for _, shown in others) or folder
        file = ExportFile(path, chats.of(folder, name), group=len(members) > 2 if members else None)
        file.me = None if me is None else self._people.of(*me)
        files.append(file)
        try:
            for time, author, text, number, quoted, media in oldest_to_newest(self._rows(file)):
                yield Message(moment(time), author, text, file.chat, number, quoted, media=media)
        except CutShortError:
            file.notes.append("the download was cut short: what it has was read; request it again for the rest")

    def _rows(self, file: ExportFile) -> Iterator[Row]:
        for record in _values(file.path, "messages[]"):
            file.messages += 1
            try:
                if "created_date" not in record:
                    continue
                time, person = _time(record["created_date"]), _person(record["creator"])
                text, number = record.get("text") or "", record.get("message_id")
                quoted = (record.get("quoted_message_metadata") or {}).get("message_id")
                if not all(isinstance(value, str | None) for value in (text, number, quoted)):
                    raise TypeError
                bot = record["creator"].get("user_type") == "Bot"
                attached = record.get("attached_files") or ()
                names = [one.get("original_name") or one.get("export_name") for one in attached]
            except (TypeError, KeyError, ValueError, AttributeError):
                raise ExportError(
                    f"{file.path}, message {file.messages:,}: its date (in English, UTC), creator or text is not as "
                    "expected: set the language of your Google account to English and request the download again"
                ) from None
            file.cover(time)
            text = text if text.strip() else ""
            if (text or names) and not bot:
                media = by_name(str(names[0])) if names else ""
                yield (time - EPOCH) // MILLISECOND, self._people.of(*person), text, number, quoted, media


def _values(path: ExportPath, place: str) -> Iterator[Any]:
    """The value at a place, or the items of the list there. Raises ExportError for a file that has none."""
    try:
        for _, value in json_values(path, place):
            yield from value if place.endswith("[]") else (value,)
            return
    except NoObjectError:
        pass
    raise ExportError(
        f'{path}: "{place.removesuffix("[]")}" is missing: request the download again, or remove the file'
    )


def _described(info: ExportPath | None) -> tuple[str, list[tuple[str, str]]]:
    """The name and the members of a chat, as far as they are known."""
    values = dict(json_values(info, "name", "members")) if info is not None else {}
    name, members = values.get("name"), values.get("members")
    try:
        return name if isinstance(name, str) else "", [_person(member) for member in members or ()]
    except (TypeError, KeyError, AttributeError):
        raise ExportError(f'{info}: "members" are not as expected: request the download again') from None


def _owner(info: ExportPath) -> tuple[str, str]:
    try:
        return _person(next(_values(info, "user")))
    except (TypeError, KeyError, AttributeError):
        raise ExportError(f'{info}: "user" is not as expected: request the download again') from None


def _person(person: Any) -> tuple[str, str]:
    """The email address and the name; whoever left Google may have one of them only."""
    email, name = person.get("email") or "", person.get("name") or ""
    if not isinstance(email, str) or not isinstance(name, str):
        raise TypeError
    return email or name or "?", name or email or "?"


def _time(date: str) -> datetime:
    # Newer downloads have a narrow no-break space in front of AM and PM.
    match = DATE.fullmatch(" ".join(date.split()))
    if match is None:
        raise ValueError("no date")
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "PM" else 0)
    month = MONTHS[(match["month"] or match["month2"])[:3].casefold()]
    year, day = match["year"] or match["year2"], match["day"] or match["day2"]
    return datetime(int(year), month, int(day), hour, int(match["minute"]), int(match["second"]))
