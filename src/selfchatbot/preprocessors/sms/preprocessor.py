"""Text messages as the Android app SMS Backup & Restore (SyncTech) writes them, ``sms-*.xml``, versions 5 to 10.

Grammar: "Fields in XML backup files" on synctech.com.au. A file holds all chats, SMS first and MMS after them, and one
backup holds much of the one before. So all backups of a folder are sorted together, in a temporary database that is no
file anyone can see, and what is there twice (same time, sender and text) counts once. Reactions, which phones send as
texts, are left out (`tapbacks`). I am ``Me``: the app only says what was sent. Times are UTC. `backup` reads one file,
`sms_ie` one of SMS Import / Export; this module puts the chats together.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import ClassVar

from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.reading.tapbacks import Tapbacks
from selfchatbot.preprocessors.sms.backup import ME, AddressBook, Backup, Entry
from selfchatbot.preprocessors.sms.sms_ie import SmsIe, is_messages

ROWS = 10_000
"""Messages that wait in memory for the database."""
OF_SMS_IE = re.compile(rb'"thread_id"\s*:\s*"\d+"')
EPOCH = datetime(1970, 1, 1)


class SMS(Preprocessor):
    """SMS and MMS of an Android phone; all files of the folder are one backup."""

    name: ClassVar[str] = "SMS"
    suffixes: ClassVar[tuple[str, ...]] = (".xml", ".ndjson", ".json")

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        paths = self.export_files(path)
        try:
            with closing(sqlite3.connect("")) as database:
                store = _Store(database, paths)
                notes = [store.take(number) for number in range(len(paths))]
                tapbacks = Tapbacks()
                for message, export in store.messages():
                    if not files or files[-1] is not export:
                        number = paths.index(export.path)
                        export.notes, notes[number] = notes[number], []
                        files.append(export)
                        tapbacks = Tapbacks()
                    if (message.content or message.media) and not tapbacks.is_one(message.content):
                        yield message
        except sqlite3.Error as error:
            raise SelfChatBotError(f"{path} can't be sorted ({error}): make room in {gettempdir()}") from error
        # Files in which no chat begins may have notes as well.
        rest = ((file, left) for file, left in zip(paths, notes, strict=True) if left)
        files.extend(ExportFile(file, file.stem, notes=left) for file, left in rest)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() == ".xml":
            return b"<smses" in head
        return path.suffix.lower() in cls.suffixes and OF_SMS_IE.search(head) is not None

    def export_files(self, path: Path) -> list[ExportPath]:
        """As for every format, without the calls and contacts that SMS Import / Export writes beside messages."""
        found = super().export_files(path)
        return (
            found if found == [path] else [file for file in found if file.suffix.lower() == ".xml" or is_messages(file)]
        )


class _Store:
    """The messages of all backups, to be read chat by chat."""

    def __init__(self, database: sqlite3.Connection, paths: list[ExportPath]) -> None:
        self._paths = paths
        self._database = database
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE message (chat INTEGER, time INTEGER, sender TEXT, text TEXT, file INTEGER, media TEXT);"
            "CREATE TABLE chat (id INTEGER PRIMARY KEY, rank INTEGER)"
        )
        self._rows: list[tuple[int, int, str, str, int, str]] = []
        self._chats: dict[tuple[str, ...], int] = {}
        self._book = AddressBook()

    def take(self, number: int) -> list[str]:
        """Read a file, given by its number; what the user should know about it."""

        def add(entry: Entry) -> None:
            chat = self._chats.setdefault(entry.members, len(self._chats))
            self._rows.append((chat, entry.time, entry.sender, entry.text, number, entry.media))
            if len(self._rows) == ROWS:
                self._flush()

        path = self._paths[number]
        kind = Backup if path.suffix.lower() == ".xml" else SmsIe
        return kind(path, self._book, add).load()

    def messages(self) -> Iterator[tuple[Message, ExportFile]]:
        """Messages, those without text as well, chat by chat and by time, with the chat they belong to."""
        self._flush()
        titles = {chat: self._others(members) for members, chat in self._chats.items()}
        ranks = {title: rank for rank, title in enumerate(sorted(set(titles.values())))}
        self._database.executemany(
            "INSERT INTO chat VALUES (?, ?)", ((chat, ranks[title]) for chat, title in titles.items())
        )
        rows = self._database.execute(
            "SELECT rank, chat, time, sender, text, file, media FROM message JOIN chat ON chat.id = message.chat"
            " ORDER BY rank, time, file, message.rowid"
        )
        moment = (-1, 0)
        at_once: set[tuple[str, str, str]] = set()
        for rank, chat, milliseconds, address, text, file, media in rows:
            sender = self._book.name(address)
            time = EPOCH + timedelta(milliseconds=milliseconds)
            if rank != moment[0]:
                others = titles[chat]
                export = ExportFile(self._paths[file], ", ".join(others), me=ME, group=len(others) > 1)
            if (rank, milliseconds) != moment:
                moment = (rank, milliseconds)
                at_once.clear()
            if (sender, text, media) in at_once:
                continue
            at_once.add((sender, text, media))
            export.add(time)
            yield Message(time, sender, text, export.chat, media=media), export

    def _flush(self) -> None:
        self._database.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)", self._rows)
        self._rows = []

    def _others(self, members: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the other side of a chat. The numbers of one person are one chat."""
        others = [address for address in members if address not in self._book.mine] or members
        return tuple(sorted({self._book.name(address) for address in others}))
