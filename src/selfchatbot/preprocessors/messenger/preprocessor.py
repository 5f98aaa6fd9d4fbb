r"""Messenger and Instagram: "Download your information" as JSON, and Messenger's end-to-end encrypted chats.

There is no description of the format: this was read from exports that other programs keep for their tests, from 2018
on. ``messages/inbox/<thread>/message_N.json`` has ``participants``, ``messages`` (newest first) and ``title``; 1 is the
newest part. Its strings are UTF-8 bytes written as ``\u00c3\u00a9``: `repaired` puts them right, each for itself.
Encrypted chats are another download with one ``<name>_N.json`` each: ``threadName`` and ``senderName``, ``text``,
``timestamp``, right as they are, and its messages stand oldest first. In both, the times tell the order. Neither has
ids of messages or people. Times are milliseconds since 1970, read as UTC.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, ClassVar

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.media import CALL
from selfchatbot.preprocessors.messenger.media import besides_text
from selfchatbot.preprocessors.messenger.notices import Notices
from selfchatbot.preprocessors.messenger.participants import owner, participants, spelled
from selfchatbot.preprocessors.messenger.text import last_versions, repaired
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names, visible

PART = re.compile(r"message_(\d+)\.json", re.IGNORECASE)
COUNTER = re.compile(r"_\d+\Z")
TIMESTAMP = re.compile(rb'"timestamp(?:_ms)?"\s*:\s*(\d+)')
PLACES = ("participants", "title", "threadName", "messages[]")
NOT_TYPED = ("Call", "Subscribe", "Unsubscribe", "Plan", "placeholder")
ATTACHED = ("share", "photos", "videos", "audio_files", "files", "gifs", "sticker", "media")
KID_KEY = "is_unsent_image_by_messenger_kid_parent"
EPOCH = datetime(1970, 1, 1)
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999
"""The milliseconds of the years 1 and 9999."""


class Messenger(Preprocessor):
    """Facebook Messenger: the folders with message_N.json, and the files of end-to-end encrypted chats."""

    name: ClassVar[str] = "Messenger"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    companions: ClassVar[tuple[str, ...]] = ("profile_information.json",)

    profile: ClassVar[tuple[str, ...]] = ("profile_information.json", "profile_v2.name.full_name", "profile.name")
    """The file of a download that says who made it, and the places where the name can be."""

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        threads: dict[str, list[ExportPath]] = {}
        for file in self.export_files(path):
            threads.setdefault(str(PurePath(str(file)).parent) if PART.fullmatch(file.name) else str(file), []).append(
                file
            )
        me = self._owner(path, threads.values())
        chats = Names()
        # An encrypted chat goes on where the other one ended: what has the same name comes in the order of time.
        for parts in sorted(threads.values(), key=lambda parts: (_spelled(_thread(parts[0])), _newest(parts))):
            for part in sorted(parts, key=lambda part: (_time_in(part), -_number(part))):
                yield from _Part(part, me).messages(chats, files)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return _is_chat(head) and ("instagram" in str(path).casefold()) == (cls.name == "Instagram")

    def export_files(self, path: Path) -> list[ExportPath]:
        """The chats; the many other .json files of a download are passed over."""
        found = super().export_files(path)
        return [file for file in found if file == path or PART.fullmatch(file.name) or _is_chat(_head(file))]

    def _owner(self, path: Path, threads: Iterable[list[ExportPath]]) -> str | None:
        """The name of the account that was exported: as its profile says, or else who takes part in the chats."""
        heads = ((_spelled(_thread(parts[0])), _head(parts[0])) for parts in threads)
        # Not in encrypted chats, whose names are right as they are; those that are right stay as they are.
        chats = [(thread, [visible(repaired(name)) for name in participants(head)]) for thread, head in heads]
        profile = self._profile_name(path)
        if profile is not None and any(profile in members for _, members in chats):
            return profile
        return owner(chats) or profile

    def _profile_name(self, path: Path) -> str | None:
        """The name in the profile, where the whole download is there."""
        file_name, *places = self.profile
        for file in super().export_files(path):
            if file.name.casefold() == file_name:
                try:
                    return next(
                        (visible(repaired(name)) for _, name in json_values(file, *places) if isinstance(name, str)),
                        None,
                    )
                except ExportError:
                    return None
        return None


class Instagram(Messenger):
    """Instagram's messages, which are written as Messenger's are."""

    name: ClassVar[str] = "Instagram"
    companions: ClassVar[tuple[str, ...]] = ("personal_information.json",)

    profile: ClassVar[tuple[str, ...]] = (
        "personal_information.json",
        *(f"profile_user[].string_map_data.{name}.value" for name in ("Name", "Nom", "Nombre", "Nome", "Naam", "Ad")),
    )


class _Part:
    """One file."""

    def __init__(self, path: ExportPath, me: str | None) -> None:
        self.file = ExportFile(path, chat="", me=me)
        self._header: dict[str, Any] = {}
        self._first, self._last = LAST, FIRST

    def messages(self, chats: Names, files: list[ExportFile]) -> Iterator[Message]:
        """What was typed, oldest first."""
        file = self.file
        rows = oldest_to_newest(self._rows(), whole=True)
        first = next(rows, None)
        # The whole file has been read: all that stands around the messages is known now.
        title, encrypted = self._header.get("title"), self._header.get("threadName")
        members = self._members()
        if isinstance(encrypted, str):
            file.chat = COUNTER.sub("", encrypted)
        else:
            thread = _thread(file.path)
            file.chat = chats.of(
                thread, repaired(title) if isinstance(title, str) and title else COUNTER.sub("", thread)
            )
        file.group = len(members) > 2 if members else None
        if file.messages:  # milliseconds until here: a date for every message would be slower
            file.first, file.last = _time(self._first), _time(self._last)
        files.append(file)
        notices = Notices(members)
        for milliseconds, sender, content, attached, _, media in last_versions(chain([first] if first else [], rows)):
            if content and notices.wrote(content, sender, attached):
                content = ""  # noqa: PLW2901
            if content or media:
                yield Message(_time(milliseconds), sender, content, file.chat, media=media)

    def _members(self) -> list[str]:
        """The participants, of which one is me: ``{"name": ...}``, in encrypted chats only the name."""
        participants = self._header.get("participants", [])
        if not isinstance(participants, list):
            raise ExportError(f'{self.file.path}: "participants" is not a list: export it again')
        named = [
            repaired(name) for one in participants if isinstance(one, dict) and isinstance(name := one.get("name"), str)
        ]
        return [visible(name) for name in (*named, *(one for one in participants if isinstance(one, str)))]

    def _rows(self) -> Iterator[Row]:
        """Milliseconds, sender, content, whether something is attached, whether it may be an edit, and media."""
        found = False
        try:
            for place, value in json_values(self.file.path, *PLACES):
                if place != "messages":
                    self._header[place] = value
                    continue
                found = True
                for record in value:
                    self.file.messages += 1
                    if row := self._row(record):
                        yield row
        except CutShortError:
            if not found:
                raise
            self.file.notes.append("the export was cut short, the rest of its messages is missing: export it again")
        except NoObjectError:
            pass
        if not found:
            raise ExportError(
                f'{self.file.path}: no chat of Messenger or Instagram, expected "participants" and "messages": remove '
                f"the file"
            )

    def _row(self, record: Any) -> Row | None:
        if not isinstance(record, dict):
            raise self._error("it is no object")
        encrypted = "senderName" in record
        if encrypted:
            time, sender, content = record.get("timestamp"), record.get("senderName"), record.get("text")
        else:
            time, sender, content = record.get("timestamp_ms"), record.get("sender_name"), record.get("content")
        if not isinstance(time, int) or not FIRST <= time <= LAST:
            raise self._error("its timestamp is no number of milliseconds since 1970")
        self._first, self._last = min(self._first, time), max(self._last, time)
        if not isinstance(sender, str | None) or not isinstance(content, str | None):
            raise self._error("its sender or content is no text")
        if record.get("is_unsent") or record.get("isUnsent"):
            return None
        media = besides_text(record)
        if media == CALL or not content or content.isspace():
            content = ""
        if not (content or media) or (media != CALL and record.get("type") in NOT_TYPED):
            return None
        if not encrypted:
            sender, content = repaired(sender or ""), repaired(content)
        # Of deleted accounts only an empty name is left.
        # Of messages of Instagram, only the edited ones lack this key.
        attached = any(map(record.get, ATTACHED))
        return time, visible(sender) if sender else "?", content, attached, KID_KEY not in record, media

    def _error(self, problem: str) -> ExportError:
        return ExportError(f"{self.file.path}, message {self.file.messages:,}: {problem}: export it again")


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _thread(file: ExportPath) -> str:
    """The name of a chat's folder, or of its file where it has one for itself."""
    return PurePath(str(file)).parent.name if PART.fullmatch(file.name) else file.stem


def _spelled(thread: str) -> str:
    """ "Bob Smith_40" and "bobsmith_10206072096154041" are the same chat."""
    return spelled(COUNTER.sub("", thread))


def _number(file: ExportPath) -> int:
    match = PART.fullmatch(file.name)
    return int(match[1]) if match else 0


def _newest(parts: list[ExportPath]) -> int:
    """A time of a chat's newest part."""
    return max(map(_time_in, parts))


def _time_in(part: ExportPath) -> int:
    """The time of the first message in a file, in milliseconds. Those of the parts of a chat tell their order."""
    match = TIMESTAMP.search(_head(part))
    return int(match[1]) if match else 0


def _head(file: ExportPath) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(2**16)
    except OSError as error:
        raise ExportError(f"{file} can't be read: {error.strerror}") from error


def _is_chat(head: bytes) -> bool:
    return b'"participants"' in head and (b'"sender_name"' in head or b'"threadName"' in head)
