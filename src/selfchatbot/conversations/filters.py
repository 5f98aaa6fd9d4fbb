"""What of a format's messages may enter: nothing that is excluded, and nothing twice."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from selfchatbot.conversations.duplicates import Overlaps
from selfchatbot.conversations.people import Exclusion
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessor

NextFile = Callable[[ExportFile | None], None]
"""Is told of each file before its first message is given; of None by a format that names no files."""


REMEMBERED = 20_000
"""Latest messages of a chat by people who are left out, to know the answers to them."""


class OverlapError(Exception):
    """Two files hold the same time of one chat: read again, with ``compare``."""


class Intake:
    """One reading of a format's folder."""

    def __init__(
        self,
        folder: Path,
        preprocessor: Preprocessor,
        speakers: Mapping[str, str | None],
        exclusion: Exclusion,
        gap: timedelta,
    ) -> None:
        self._folder = folder
        self._preprocessor = preprocessor
        self._speakers = speakers
        self._exclusion = exclusion
        self._gap = gap
        self.files: list[ExportFile] = []
        self.left_out = 0
        """Messages that are excluded."""
        self.files_left_out: set[int] = set()
        """Numbers of files in which there are some."""
        self.spoken: set[str] = set()
        """Chats in which somebody who is excluded has written."""
        self.repeated = 0
        """Messages that another export of the same chat has as well."""

    def messages(self, next_file: NextFile, several: bool, compare: Path | None) -> Iterator[Message]:
        """The messages that may enter.

        With ``several`` files, times of one chat that meet are an OverlapError; comparing equal messages costs time and
        is seldom of use. ``compare`` is the directory for what is compared then.
        """
        number = -1
        chat: str | None = None
        time: datetime | None = None
        checked = several and compare is None and self._preprocessor.exports_overlap
        ends: dict[str, datetime] = {}  # of the chats, as far as they have been read
        repeated: Counter[int] = Counter()
        kept = _Kept(self._exclusion, self._speakers, self._gap, self.spoken) if self._exclusion.active else None
        with ExitStack() as stack:
            overlaps = stack.enter_context(Overlaps(compare)) if compare is not None else None
            for message in self._preprocessor.read(self._folder, self.files):
                if message.chat != chat or len(self.files) != number:
                    if checked and chat is not None and time is not None:
                        ends[chat] = max(ends.get(chat, time), time)
                        if message.timestamp <= ends.get(message.chat, datetime.min):
                            raise OverlapError
                    chat = message.chat
                    if len(self.files) != number:
                        number = len(self.files)
                        next_file(self.files[-1] if self.files else None)
                time = message.timestamp
                if kept is not None and not kept.takes(message):
                    self.left_out += 1
                    self.files_left_out.add(number)
                elif overlaps is not None and overlaps.repeated(message, number):
                    repeated[number] += 1
                else:
                    yield message
        self.repeated = repeated.total()
        for number, count in repeated.items():
            if number > 0:
                self.files[number - 1].notes.append(
                    f"{count:,} messages are in another export of the chat too: they count once"
                )


class _Kept:
    """Which messages of a format may enter."""

    def __init__(
        self, exclusion: Exclusion, speakers: Mapping[str, str | None], gap: timedelta, spoken: set[str]
    ) -> None:
        self._exclusion = exclusion
        self._speakers = speakers
        self._gap = gap
        self._spoken = spoken
        self._chat: str | None = None
        self._chat_left_out = False
        self._last_left_out: datetime | None = None
        self._ids: dict[str, None] = {}
        """Of messages by people who are left out."""

    def takes(self, message: Message) -> bool:
        """Whether a message may enter. What I answer to somebody who is left out may not, either."""
        if message.chat != self._chat:
            self._chat = message.chat
            self._chat_left_out = self._exclusion.chat(message.chat)
            self._last_left_out = None
            self._ids.clear()
        if self._chat_left_out or self._exclusion.time(message.timestamp):
            return False
        mine = self._speakers[message.author] is None
        if not mine and self._exclusion.person(message.author):
            self._spoken.add(message.chat)
            self._last_left_out = message.timestamp
            if message.id is not None:
                self._ids[message.id] = None
                if len(self._ids) > REMEMBERED:
                    del self._ids[next(iter(self._ids))]
            return False
        if mine and message.reply_to in self._ids:
            self._last_left_out = message.timestamp
            return False
        if mine and self._last_left_out is not None:
            return message.timestamp - self._last_left_out > self._gap
        self._last_left_out = None
        return True
