"""Which messages of a format are used: none that are excluded, and none twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from selfchatbot.conversations.drop import DropPatterns
from selfchatbot.conversations.duplicates import Duplicates
from selfchatbot.conversations.edits import Edits
from selfchatbot.conversations.people import Exclusion
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessor

OnFile = Callable[[ExportFile | None], None]
"""Called with each file before its first message; with None if the format reports no files."""
MAX_REMEMBERED_IDS = 20_000
"""Latest messages of a chat by excluded people that are remembered to recognise replies to them."""


class OverlapError(Exception):
    """Two files cover the same time of one chat: read again and look for duplicates."""


class Overlap(NamedTuple):
    """What is needed where exports of one chat overlap."""

    scratch: Path
    """A directory for a temporary file."""
    edits: Edits


class MessageFilter:
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
        self.drop = DropPatterns(preprocessor.drop)
        self.dropped = 0
        """Number of messages of which ``drop`` left nothing."""
        self.excluded = 0
        """Number of excluded messages."""
        self.files_with_excluded: set[int] = set()
        """Numbers of the files that contain some, from 1."""
        self.chats_with_excluded: set[str] = set()
        """Chats in which an excluded person wrote."""
        self.duplicates = 0
        """Messages that are in another export of the same chat too."""

    def messages(self, on_file: OnFile, has_several_files: bool, overlap: Overlap | None) -> Iterator[Message]:
        """The messages to use.

        Comparing messages costs time and is rarely needed. So without ``overlap``, an OverlapError is raised if two of
        several files cover the same time of a chat. With it, duplicates are removed.
        """
        drops = bool(self._preprocessor.drop)
        number = -1
        chat: str | None = None
        time: datetime | None = None
        checks_overlap = has_several_files and overlap is None and self._preprocessor.exports_overlap
        ends: dict[str, datetime] = {}  # latest time of each chat so far
        duplicates_by_file: Counter[int] = Counter()
        excludes = (
            _ExclusionFilter(
                self._exclusion, self._speakers, self._gap, self.chats_with_excluded, self._preprocessor.other_names
            ).excludes
            if self._exclusion.active
            else None
        )
        with ExitStack() as stack:
            duplicates = stack.enter_context(Duplicates(overlap.scratch)) if overlap is not None else None
            for message in self._preprocessor.read(self._folder, self.files):
                if message.chat != chat or len(self.files) != number:
                    if checks_overlap and chat is not None and time is not None:
                        ends[chat] = max(ends.get(chat, time), time)
                        if message.timestamp <= ends.get(message.chat, datetime.min):
                            raise OverlapError
                    chat = message.chat
                    if len(self.files) != number:
                        number = len(self.files)
                        on_file(self.files[-1] if self.files else None)
                time = message.timestamp
                if drops and (content := self.drop.rest(message.content)) != message.content:
                    if not content:
                        self.dropped += 1
                        continue
                    message = replace(message, content=content)  # noqa: PLW2901
                if excludes is not None and excludes(message):
                    self.excluded += 1
                    self.files_with_excluded.add(number)
                elif duplicates is not None and duplicates.contains(message, number):
                    duplicates_by_file[number] += 1
                else:
                    yield message if overlap is None else overlap.edits.latest(message)
        self.duplicates = duplicates_by_file.total()
        for number, count in duplicates_by_file.items():
            if number > 0:
                self.files[number - 1].notes.append(
                    f"{count:,} messages are in another export of the chat too: they count once"
                )


class _ExclusionFilter:
    """Which messages of a format are excluded, message by message."""

    def __init__(
        self,
        exclusion: Exclusion,
        speakers: Mapping[str, str | None],
        gap: timedelta,
        chats_with_excluded: set[str],
        other_names: Callable[[str], Iterable[str]],
    ) -> None:
        self._exclusion = exclusion
        self._other_names = other_names
        self._speakers = speakers
        self._gap = gap
        self._chats_with_excluded = chats_with_excluded
        self._chat: str | None = None
        self._is_chat_excluded = False
        self._last_excluded: datetime | None = None
        """Time of the last message by an excluded person, or of a reply of mine to it, until somebody else writes."""
        self._excluded_ids: dict[str, None] = {}
        """Ids of messages by excluded people."""

    def excludes(self, message: Message) -> bool:
        """Whether a message is excluded. My replies to excluded people are, too."""
        if message.chat != self._chat:
            self._chat = message.chat
            self._is_chat_excluded = self._exclusion.excludes_chat(message.chat)
            self._last_excluded = None
            self._excluded_ids.clear()
        if self._is_chat_excluded or self._exclusion.excludes_time(message.timestamp):
            return True
        is_mine = self._speakers[message.author] is None
        if not is_mine and self._excludes_author(message.author):
            self._chats_with_excluded.add(message.chat)
            self._last_excluded = message.timestamp
            if message.id is not None:
                self._excluded_ids[message.id] = None
                if len(self._excluded_ids) > MAX_REMEMBERED_IDS:
                    del self._excluded_ids[next(iter(self._excluded_ids))]
            return True
        if is_mine and message.reply_to in self._excluded_ids:
            self._last_excluded = message.timestamp
            return True
        if is_mine and self._last_excluded is not None:
            return message.timestamp - self._last_excluded <= self._gap
        self._last_excluded = None
        return False

    def _excludes_author(self, author: str) -> bool:
        return any(map(self._exclusion.excludes_person, (author, *self._other_names(author))))
