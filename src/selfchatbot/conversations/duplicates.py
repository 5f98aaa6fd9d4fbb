"""Exports of one chat that were made at different times contain the same messages: they count once."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

from selfchatbot.messages import Message
from selfchatbot.preprocessors.names import without_discriminator

MAX_MEMORY_BYTES = 8 * 2**20
"""Up to this size there is no file."""
MAX_OPEN_DAYS = 8
"""Days that are compared at the same time: messages come in order of time."""


class Duplicates:
    """Finds messages that an earlier file of the same chat contains too.

    Equal messages within one file are different messages: people say "ok" twice in a minute. If an earlier file
    contains a message n times, its first n copies in a later file are duplicates. 12 bytes per message are kept, those
    of other chats on disk.
    """

    def __init__(self, directory: Path) -> None:
        self._finished = SpooledTemporaryFile(MAX_MEMORY_BYTES, dir=str(directory))  # noqa: SIM115
        self._places: dict[str, tuple[int, int]] = {}
        self._chat: str | None = None
        self._file = -1
        self._is_first = True
        self._days: dict[int, array[int]] = {}
        self._remaining: dict[int, Counter[int]] = {}

    def __enter__(self) -> Duplicates:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.close()

    def contains(self, message: Message, file: int) -> bool:
        """Whether ``message``, read from file number ``file``, is a copy of one in an earlier file of its chat."""
        if message.chat != self._chat:
            self._store_chat()
            self._load_chat(message.chat)
        if file != self._file:
            self._is_first = not self._days
            self._file = file
            self._remaining.clear()
        day = message.timestamp.toordinal()
        # A message with an id is the same even if it was edited between the exports. Without one, seconds don't count:
        # not every phone exports them. Discord removed the numbers from names in 2023.
        author = without_discriminator(message.author)
        time = message.timestamp if message.id else message.timestamp.replace(second=0, microsecond=0)
        key = hash((time, author, message.id or message.content or message.media))
        keys = self._days.get(day)
        if not self._is_first:
            remaining = self._remaining.get(day)
            if remaining is None:
                if len(self._remaining) == MAX_OPEN_DAYS:
                    del self._remaining[next(iter(self._remaining))]
                remaining = self._remaining[day] = Counter(keys or ())
            if remaining.get(key):
                remaining[key] -= 1
                return True
        if keys is None:
            keys = self._days[day] = array("q")
        keys.append(key)
        return False

    def _load_chat(self, chat: str) -> None:
        self._chat = chat
        self._file = -1
        if chat not in self._places:
            return
        offset, count = self._places[chat]
        self._finished.seek(offset)
        days, keys = array("i"), array("q")
        days.frombytes(self._finished.read(count * days.itemsize))
        keys.frombytes(self._finished.read(count * keys.itemsize))
        for day, key in zip(days, keys, strict=True):
            self._days.setdefault(day, array("q")).append(key)

    def _store_chat(self) -> None:
        if self._chat is None or not self._days:
            return
        days, keys = array("i"), array("q")
        for day, of_day in self._days.items():
            days.extend([day] * len(of_day))
            keys.extend(of_day)
        offset = self._finished.seek(0, 2)
        self._finished.write(days.tobytes() + keys.tobytes())
        self._places[self._chat] = (offset, len(keys))
        self._days = {}
