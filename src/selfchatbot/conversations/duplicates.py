"""Exports of one chat, made at different times, hold the same messages: those count once."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import DISCRIMINATOR

IN_MEMORY = 8 * 2**20
DAYS_REMEMBERED = 8
"""Days of an export that are compared at the same time: messages come in order of time."""


class Overlaps:
    """Finds messages that an earlier file of the same chat has as well.

    Within one file, two equal messages are two: people say "ok" twice in a minute. What an earlier file has n times is
    taken off the first n times that a later one has it. 12 bytes per message are kept, those of other chats on disk.
    """

    def __init__(self, directory: Path) -> None:
        self._finished = SpooledTemporaryFile(IN_MEMORY, dir=str(directory))  # noqa: SIM115
        self._places: dict[str, tuple[int, int]] = {}
        self._chat: str | None = None
        self._file = -1
        self._is_first = True
        self._days: dict[int, array[int]] = {}
        self._remaining: dict[int, Counter[int]] = {}

    def __enter__(self) -> Overlaps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.close()

    def repeated(self, message: Message, file: int) -> bool:
        """Whether ``message``, read from the file of that number, is in an earlier file of its chat as well."""
        if message.chat != self._chat:
            self._leave()
            self._enter(message.chat)
        if file != self._file:
            self._is_first = not self._days
            self._file = file
            self._remaining.clear()
        day = message.timestamp.toordinal()
        # With an id, it is the same message also when it was edited in the meantime. Without one, seconds don't count:
        # not every phone exports them. Discord took the numbers from the names in 2023.
        author = DISCRIMINATOR.sub("", message.author)
        time = message.timestamp if message.id else message.timestamp.replace(second=0, microsecond=0)
        key = hash((time, author, message.id or message.content))
        keys = self._days.get(day)
        if not self._is_first:
            remaining = self._remaining.get(day)
            if remaining is None:
                if len(self._remaining) == DAYS_REMEMBERED:
                    del self._remaining[next(iter(self._remaining))]
                remaining = self._remaining[day] = Counter(keys or ())
            if remaining.get(key):
                remaining[key] -= 1
                return True
        if keys is None:
            keys = self._days[day] = array("q")
        keys.append(key)
        return False

    def _enter(self, chat: str) -> None:
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

    def _leave(self) -> None:
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
