"""Sorts the messages of many chats, which come in any order, without keeping them in memory.

They lie in a temporary database that is no file anyone can see.
"""

import sqlite3
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from tempfile import gettempdir
from types import TracebackType
from typing import NamedTuple, Self

from selfchatbot.errors import SelfChatBotError
from selfchatbot.preprocessors.reading.archives import ExportPath

ROWS = 10_000
"""Messages that wait in memory for the database."""


class Sent(NamedTuple):
    """A message."""

    chat: str
    """The id of the chat."""
    time: int
    """Milliseconds since 1970, UTC."""
    author: str
    text: str
    id: str | None
    reply_to: str | None
    file: int
    """The number of the file that it is in."""
    version: int = 0
    """Of several with the same id at the same time, the highest counts."""
    media: str = ""
    """See `preprocessors.media`."""


class Sorter:
    """Takes messages in any order and gives them back by chat and time.

    A message that is in several files counts once.

    What goes wrong inside ``with``, because there is no room for the database, raises SelfChatBotError.
    """

    def __init__(self, path: ExportPath) -> None:
        self._path = path
        self._rows: list[Sent] = []
        self._database = sqlite3.connect("")

    def __enter__(self) -> Self:
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE sent (chat TEXT, time INTEGER, author TEXT, text TEXT, id TEXT, reply_to TEXT, file INTEGER,"
            " version INTEGER, media TEXT)"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        if isinstance(error, sqlite3.Error):
            raise SelfChatBotError(f"{self._path} can't be sorted ({error}): make room in {gettempdir()}") from error

    def add(self, message: Sent) -> None:
        """Take a message."""
        self._rows.append(message)
        if len(self._rows) == ROWS:
            self._flush()

    def chats(self, key: Callable[[str], str] = str) -> Iterator[tuple[str, Iterator[Sent]]]:
        """The id of each chat, and its messages, oldest first; use them before the next chat is taken.

        Chats whose ids have the same ``key`` are one, with that as its id.
        """
        self._flush()
        self._database.create_function("key", 1, lru_cache(maxsize=4096)(key), deterministic=True)
        order = (
            "SELECT key(chat) AS one, time, author, text, id, reply_to, file, version, media FROM sent"
            " ORDER BY one, time, version DESC, rowid"
        )
        for chat, rows in groupby(map(Sent._make, self._database.execute(order)), key=itemgetter(0)):
            yield chat, _once(rows)

    def _flush(self) -> None:
        rows = (tuple(map(_storable, row)) for row in self._rows)
        self._database.executemany("INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._rows = []


def _once(messages: Iterator[Sent]) -> Iterator[Sent]:
    """``messages`` without those that an earlier one with the same time repeats: with its id, or from another file."""
    for _, together in groupby(messages, key=itemgetter(1)):
        known: dict[object, int] = {}
        for message in together:
            same = message.id or (message.author, message.text, message.media)
            if same not in known or (message.id is None and known[same] == message.file):
                known[same] = message.file
                yield message


def _storable(value: object) -> object:
    """Half a surrogate pair, which JSON can hold, can't be stored."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
