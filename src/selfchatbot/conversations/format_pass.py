"""One pass over a format's folder: its messages become conversations in the store."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from selfchatbot.conversations.app_phrases import AppPhrases
from selfchatbot.conversations.build import build_conversations
from selfchatbot.conversations.filters import MessageFilter, OnFile, Overlap
from selfchatbot.conversations.people import Contacts, Exclusion
from selfchatbot.conversations.store import ConversationStore
from selfchatbot.conversations.summary import FormatSummary
from selfchatbot.conversations.typing_pace import TypingGaps
from selfchatbot.messages import Conversation, Message
from selfchatbot.parameters import RawParameters
from selfchatbot.preprocessors import ExportFile, Preprocessor, Preprocessors
from selfchatbot.redaction import Redactor

PROGRESS_SECONDS = 0.1


class Speakers(dict[str, str | None]):
    """The contact of each author; None for me."""

    def __init__(self, is_me: Callable[[str], bool], contacts: Contacts) -> None:
        self._is_me = is_me
        self._contacts = contacts

    def __missing__(self, author: str) -> str | None:
        self[author] = None if self._is_me(author) else self._contacts.name_of(author)
        return self[author]


@dataclass(slots=True)
class DatasetContext:
    """What the formats of one dataset share."""

    raw: RawParameters
    me: str
    """My name, for the system message."""
    contacts: Contacts
    exclusion: Exclusion
    redactor: Redactor
    store: ConversationStore
    scratch: Path
    """A directory for temporary files without names."""
    progress: Callable[[str], None]

    @property
    def gap(self) -> timedelta:
        return timedelta(minutes=self.raw.conversation_gap_minutes)

    def with_system_message(self, conversation: Conversation) -> Conversation:
        if self.raw.system is None:
            return conversation
        app = Preprocessors[conversation.format].app_name()
        names = {"me": self.me, "contact": conversation.contact, "format": app}
        return replace(conversation, system=self.raw.system.format_map(names))


class FormatPass:
    """Reads a format's folder once, for a given answer to who I am."""

    def __init__(
        self, folder: Path, preprocessor: Preprocessor, dataset: DatasetContext, is_me: Callable[[str], bool]
    ) -> None:
        self._preprocessor = preprocessor
        self._name, self._app = preprocessor.name, preprocessor.app_name()
        self._dataset = dataset
        self._speakers = Speakers(is_me, dataset.contacts)
        self._filter = MessageFilter(folder, preprocessor, self._speakers, dataset.exclusion, dataset.gap)
        self._summary = FormatSummary(self._name, files=self._filter.files)
        self._settled_files = self._filter.files_with_excluded
        """Numbers of files in which I wrote, or in which it doesn't matter."""
        self._settled_chats: set[str] = set()
        self._used_chats: set[str] = set()
        self._may_be_excluded = preprocessor.group_chats == "exclude" or dataset.exclusion.active
        """Whether only the end of a chat shows if it is used."""
        self._phrases = AppPhrases()
        self._last_progress = 0.0

    def run(self, how: str, on_file: OnFile, has_several_files: bool, overlap: Overlap | None) -> FormatSummary:
        """Put the conversations into the store. If the pass fails, or nobody is me, none of them stay there.

        ``how`` I was found: a key of `summary.HOW`. For the other arguments, see `MessageFilter.messages`.
        """
        store, redactor = self._dataset.store, self._dataset.redactor
        length, counts = len(store), redactor.counts.copy()

        def next_file(file: ExportFile | None) -> None:
            on_file(file)
            self._speakers.clear()  # I may have another name there

        try:
            stream = self._filter.messages(next_file, has_several_files, overlap)
            for chat, messages in groupby(stream, key=attrgetter("chat")):
                self._read_chat(chat, messages)
            self._finish(how)
        finally:
            if not self._summary.me:
                store.truncate(length)
                redactor.counts = counts
        return self._summary

    def _read_chat(self, chat: str, messages: Iterable[Message]) -> None:
        store, redactor, summary, speakers = self._dataset.store, self._dataset.redactor, self._summary, self._speakers
        self._show_progress(f"reading {self._app}: chat {summary.chats + 1:,}")
        length, counts = len(store), redactor.counts.copy()
        number = len(summary.files)
        file = summary.files[-1] if summary.files and summary.files[-1].chat == chat else None
        group = file.group if file is not None else None
        authors: Counter[str] = Counter()
        replies: Counter[str] = Counter()
        gaps = TypingGaps()
        phrases = AppPhrases() if self._may_be_excluded else self._phrases
        for conversation in build_conversations(
            self._counted(messages, authors, gaps, phrases),
            speakers.__getitem__,
            self._dataset.gap,
            self._dataset.raw.context_turns,
            group,
            self._name,
        ):
            redacted = self._dataset.with_system_message(redactor.conversation(conversation))
            store.add(redacted)
            replies[redacted.contact] += redacted.replies
        others = {speakers[author] for author in authors} - {None}
        is_group = group or (group is None and len(others) > 1)
        is_excluded_group = self._preprocessor.group_chats == "exclude" and is_group
        # If only excluded people wrote besides me, my messages were for them.
        is_excluded_chat = chat in self._filter.chats_with_excluded and not others
        if is_excluded_group or is_excluded_chat or any(speakers[author] is None for author in authors):
            self._settled_files.add(number)
            if file is not None:
                self._settled_chats.add(chat)
        if is_excluded_group or is_excluded_chat:
            summary.excluded_groups += bool(is_excluded_group)
            store.truncate(length)
            redactor.counts = counts
            return
        summary.chats += 1
        summary.senders.update(authors)
        summary.contacts.update(replies)
        if self._preprocessor.has_times:
            summary.typing_gaps += gaps
        if phrases is not self._phrases:
            self._phrases.update(phrases)
        self._used_chats.add(chat)

    def _counted(
        self, messages: Iterable[Message], authors: Counter[str], gaps: TypingGaps, phrases: AppPhrases
    ) -> Iterator[Message]:
        """The same messages; counts them and their phrases, and collects the gaps between consecutive ones of mine."""
        previous: datetime | None = None
        album: tuple[str, str] | None = None
        """The author and the kind of the last message, if it was nothing but media."""
        for message in messages:
            is_mine = self._speakers[message.author] is None
            if message.content:
                authors[message.author] += 1
                phrases.add(message.author, message.content)
                if is_mine and previous is not None:
                    gaps.add(len(message.content), (message.timestamp - previous).total_seconds())
            previous = message.timestamp if is_mine and message.content else None
            if not message.media:
                album = None
                yield message
                continue
            alone = None if message.content else (message.author, message.media)
            # What I sent is not marked: it would be trained, and the model would answer with "[photo]".
            if is_mine and message.content:
                yield message
            elif not is_mine and (alone is None or alone != album):
                mark = f"[{message.media}]"
                yield replace(message, content=f"{mark}\n{message.content}" if message.content else mark)
            album = alone

    def _finish(self, how: str) -> None:
        summary, exclusion = self._summary, self._dataset.exclusion
        for chat in self._filter.chats_with_excluded - self._used_chats:
            exclusion.hide_chat(chat)
        summary.how = how
        summary.duplicates, summary.excluded = self._filter.duplicates, self._filter.excluded
        summary.dropped, summary.marks_media = self._filter.dropped, self._preprocessor.media == "mark"
        if self._preprocessor.has_times:  # else it is no chat of an app
            summary.notes.extend(self._phrase_notes())
        summary.me = [author for author in summary.senders if self._speakers[author] is None]
        by_chat = summary.by_chat
        without_me = (
            file.chat if by_chat else file.path.name
            for number, file in enumerate(summary.files, 1)
            if file.messages
            and number not in self._settled_files
            and file.chat not in self._settled_chats
            and not exclusion.is_hidden(file.chat)
        )
        summary.without_me = list(dict.fromkeys(without_me))
        summary.files = [file for file in summary.files if not exclusion.is_hidden(file.chat)]

    def _phrase_notes(self) -> Iterator[str]:
        """What the user should know about phrases that somebody else than their author may have written."""
        name, app, senders = self._name, self._app, self._summary.senders
        for phrase, count in self._phrases.suspicious(senders):
            shown = json.dumps(self._dataset.redactor.name(phrase), ensure_ascii=False)
            yield f"{app}: {shown} {count:,} times: written by the app? Then add it to preprocessor_data.{name}.drop"
        if joined := self._phrases.joined(senders):
            yield (
                f'{app}: {joined[1]:,} messages end in what looks like the beginning of another one ("{joined[0]}"): '
                "are its dates in a form that can't be read?"
            )
        for number in self._filter.drop.unused():
            yield f"preprocessor_data.{name}.drop: entry {number} matches nothing: check how the export writes it"

    def _show_progress(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_progress > PROGRESS_SECONDS:
            self._last_progress = now
            self._dataset.progress(text)
