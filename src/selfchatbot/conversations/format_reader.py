"""One format's folder: who I am in it, and its conversations."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from selfchatbot.conversations.build import build_conversations
from selfchatbot.conversations.filters import Intake, NextFile, OverlapError
from selfchatbot.conversations.people import Contacts, Exclusion
from selfchatbot.conversations.store import Spool
from selfchatbot.conversations.summary import FormatSummary
from selfchatbot.errors import ExportError, ParametersError
from selfchatbot.messages import Conversation, Message
from selfchatbot.parameters import FILE_NAME, RawParameters
from selfchatbot.preprocessors import ExportFile, Preprocessor
from selfchatbot.preprocessors.base import DISCRIMINATOR
from selfchatbot.redaction import Redactor

PROGRESS_SECONDS = 0.1


class _UnsaidError(Exception):
    """There is a file that doesn't say who made it."""


class _Speakers(dict[str, str | None]):
    """Authors to the names of their contacts, and me to None."""

    def __init__(self, is_me: Callable[[str], bool], contacts: Contacts) -> None:
        self._is_me = is_me
        self._contacts = contacts

    def __missing__(self, author: str) -> str | None:
        self[author] = None if self._is_me(author) else self._contacts.name_of(author)
        return self[author]


@dataclass(slots=True)
class Shared:
    """What the formats of one dataset have in common."""

    raw: RawParameters
    me: str
    """My name, for the system message."""
    contacts: Contacts
    exclusion: Exclusion
    redactor: Redactor
    spool: Spool
    scratch: Path
    """A directory for nameless temporary files."""
    progress: Callable[[str], None]

    def with_system(self, conversation: Conversation) -> Conversation:
        """A conversation that says who talks with whom, and where, if the parameters want that."""
        if self.raw.system is None:
            return conversation
        names = {"me": self.me, "contact": conversation.contact, "format": conversation.format}
        return replace(conversation, system=self.raw.system.format_map(names))


class FormatReader:
    """Reads one format's folder into the spool."""

    def __init__(self, folder: Path, preprocessor: Preprocessor, shared: Shared) -> None:
        self._folder = folder
        self._preprocessor = preprocessor
        self._name = preprocessor.name
        self._shared = shared
        self._gap = timedelta(minutes=shared.raw.conversation_gap_minutes)
        self._told = 0.0
        self._place = folder.parent / FILE_NAME
        self._exports = preprocessor.export_files(folder)
        self._compare: Path | None = None
        """Set when files overlap."""

    def read(self) -> FormatSummary:
        """The conversations go to the spool, everything else is in the summary.

        Raises ExportError, with a hint when the files are of another kind, and ParametersError when nobody knows who
        I am.
        """
        from selfchatbot.preprocessors.reading.hints import hint_for_files, hint_for_folder

        kind = type(self._preprocessor)
        if not self._exports:
            hint = hint_for_folder(kind, self._folder)
            suffixes = " or ".join(self._preprocessor.suffixes)
            raise ExportError(hint or f"{self._folder} holds no export ({suffixes}): put your exports there")
        self._shared.progress(f"reading {len(self._exports)} file(s) of {self._name}")
        try:
            try:
                summary = self._read()
            except OverlapError:
                self._compare = self._shared.scratch
                summary = self._read()
            if not summary.senders:
                raise ExportError(f"{self._folder}: there is no message with text in any file that may be used")
        except (ExportError, ParametersError) as error:
            # The file that the message names comes first.
            message = str(error)
            files = sorted(self._exports, key=lambda path: str(path) not in message)
            if hint := hint_for_files(kind, files):
                raise ExportError(hint) from error
            raise
        empty = [file.path for file in summary.files if not file.messages]
        if empty and (hint := hint_for_files(kind, empty)):
            summary.notes.append(hint)
        return summary

    def _read(self) -> FormatSummary:
        preprocessor = self._preprocessor
        if preprocessor.username is not None or preprocessor.aliases:
            summary = self._pass(preprocessor.is_me, "username")
            if not summary.me and summary.senders:
                summary = self._without_username(summary)
            self._refuse_namesakes(summary)
            return summary
        said: set[str] = set()

        def take(file: ExportFile | None) -> None:
            if file is None or file.me is None:
                raise _UnsaidError
            said.add(file.me)

        try:
            summary = self._pass(said.__contains__, "export", take)
        except _UnsaidError:
            said, how, census = self._census()
            summary = self._pass(said.__contains__, how)
        else:
            census = summary
        if not summary.me and summary.senders:
            raise self._unknown(census, "the exports don't say who you are")
        if len(summary.me) > 1:
            summary.notes.append(f"{self._name}: the exports say that you are {' and '.join(sorted(summary.me))}")
        return summary

    def _without_username(self, summary: FormatSummary) -> FormatSummary:
        """The user name wrote nothing; where every file says who made it, that is who I am."""
        said = {file.me for file in summary.files if file.messages}
        given = self._preprocessor.username or " or ".join(self._preprocessor.aliases)
        if not said or None in said:
            raise self._unknown(summary, f'"{given}" wrote none of the messages')
        names = {name for name in said if name is not None}
        again = self._pass(names.__contains__, "export")
        if not again.me:
            raise self._unknown(summary, f'"{given}" wrote none of the messages')
        again.notes.append(f'{self._name}: "{given}" wrote no message, so you are who the exports say')
        return again

    def _census(self) -> tuple[set[str], str, FormatSummary]:
        """Who writes in every chat. One more pass: only its end shows who that is."""
        self._shared.progress(f"reading {self._name}: looking for you")
        intake = self._intake(_Speakers(lambda _: False, self._shared.contacts))
        summary = FormatSummary(self._name, files=intake.files)
        common: set[str] | None = None
        chats: set[str] = set()
        stream = intake.messages(lambda _: None, len(self._exports) > 1, self._compare)
        for chat, messages in groupby(stream, key=attrgetter("chat")):
            authors = Counter(message.author for message in messages)
            summary.senders.update(authors)
            common = set(authors) if common is None else common & authors.keys()
            chats.add(chat)
        said = {file.me for file in summary.files if file.me is not None}
        if said:
            return said, "export", summary
        if summary.senders and (common is None or len(common) != 1 or len(chats) < 2):
            reason = "there is only one chat" if len(chats) < 2 else f"{len(common or ())} people write in every chat"
            raise self._unknown(summary, f"the exports don't say who you are and {reason}")
        return common or set(), "common", summary

    def _unknown(self, summary: FormatSummary, reason: str) -> ParametersError:
        frequent = ", ".join(f"{author} ({count:,})" for author, count in summary.senders.most_common(10))
        return ParametersError(
            f'{self._place}: key "preprocessor_data.{self._name}.username": {reason}; most are by: {frequent}'
        )

    def _refuse_namesakes(self, summary: FormatSummary) -> None:
        numbers = {match[0] for author in summary.me if (match := DISCRIMINATOR.search(author))} - {"#0000"}
        if len(numbers) > 1 and not self._preprocessor.aliases:
            raise ParametersError(
                f'{self._place}: key "preprocessor_data.{self._name}.username": several authors have this name: '
                f"{', '.join(sorted(summary.me))}: write yours with its number, and the others that are you in "
                '"aliases"'
            )

    def _pass(self, is_me: Callable[[str], bool], how: str, take: NextFile = lambda _: None) -> FormatSummary:
        """Read everything once and keep the conversations; nothing of it stays if that fails or nobody is me."""
        spool, redactor = self._shared.spool, self._shared.redactor
        length, counts = len(spool), redactor.counts.copy()
        found = False
        try:
            summary = self._conversations(is_me, how, take)
            found = bool(summary.me)
        finally:
            if not found:
                spool.shrink(length)
                redactor.counts = counts
        return summary

    def _conversations(self, is_me: Callable[[str], bool], how: str, take: NextFile) -> FormatSummary:
        shared, exclusion = self._shared, self._shared.exclusion
        speakers = _Speakers(is_me, shared.contacts)
        intake = self._intake(speakers)
        summary = FormatSummary(self._name, files=intake.files, how=how)

        def next_file(file: ExportFile | None) -> None:
            take(file)
            speakers.clear()  # who I am may be another name there

        # Files of which it is known that I write in them, or that it doesn't matter.
        settled_files: set[int] = intake.files_left_out
        settled_chats: set[str] = set()
        stays: set[str] = set()
        stream = intake.messages(next_file, len(self._exports) > 1, self._compare)
        for chat, messages in groupby(stream, key=attrgetter("chat")):
            self._tell(f"reading {self._name}: chat {summary.chats + 1:,}")
            number = len(summary.files)
            file = summary.files[-1] if summary.files else None
            group = file.group if file is not None and file.chat == chat else None
            authors: Counter[str] = Counter()
            replies: Counter[str] = Counter()
            length, counts = len(shared.spool), shared.redactor.counts.copy()
            for conversation in build_conversations(
                _counted(messages, authors),
                speakers.__getitem__,
                self._gap,
                shared.raw.context_turns,
                group,
                self._name,
            ):
                redacted = shared.with_system(shared.redactor.conversation(conversation))
                shared.spool.add(redacted)
                replies[redacted.contact] += redacted.replies
            others = {speakers[author] for author in authors} - {None}
            is_group = group or (group is None and len(others) > 1)
            excluded_group = self._preprocessor.group_chats == "exclude" and is_group
            # Where nobody else has written than people who are excluded, my words were for them.
            excluded = chat in intake.spoken and not others
            if excluded_group or excluded or any(speakers[author] is None for author in authors):
                settled_files.add(number)
                if file is not None and file.chat == chat:
                    settled_chats.add(chat)
            if excluded_group or excluded:
                summary.groups_left_out += excluded_group
                shared.spool.shrink(length)
                shared.redactor.counts = counts
                continue
            summary.chats += 1
            summary.senders.update(authors)
            summary.contacts.update(replies)
            if chat in intake.spoken:
                stays.add(chat)
        for chat in intake.spoken - stays:
            exclusion.leave_out(chat)
        summary.repeated, summary.left_out = intake.repeated, intake.left_out
        summary.me = [author for author in summary.senders if speakers[author] is None]
        summary.without_me = [
            file.path.name
            for number, file in enumerate(summary.files, 1)
            if file.messages
            and not (number in settled_files or file.chat in settled_chats or exclusion.is_hidden(file.chat))
        ]
        summary.files = [file for file in summary.files if not exclusion.is_hidden(file.chat)]
        return summary

    def _intake(self, speakers: _Speakers) -> Intake:
        return Intake(self._folder, self._preprocessor, speakers, self._shared.exclusion, self._gap)

    def _tell(self, text: str) -> None:
        now = time.monotonic()
        if now - self._told > PROGRESS_SECONDS:
            self._told = now
            self._shared.progress(text)


def _counted(messages: Iterable[Message], authors: Counter[str]) -> Iterator[Message]:
    for message in messages:
        authors[message.author] += 1
        yield message
