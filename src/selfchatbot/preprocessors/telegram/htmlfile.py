"""Telegram Desktop, "Human-readable HTML": one folder for each chat with messages.html, messages2.html and so on.

Grammar: ``export_output_html.cpp`` of telegramdesktop/tdesktop. A message is ``<div class="message default clearfix"
id="message12">`` with, in its ``body``, the date (in the title), the name of the sender (not in messages that join the
one before), forwards in a body of their own, media, and what was typed in ``<div class="text">``. ``message service``
is written by Telegram; negative ids are dates. The exports of a whole account lie in ``chats/chat_001`` and so on below
``export_results.html``, which says who made it. There are no ids of people. Dates are wall-clock times of the computer
that exported, as in the JSON; the offset behind them leaves out daylight saving time.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import PurePath
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.media import VOICE, transcript
from selfchatbot.preprocessors.reading.html_stream import Tag, tags, unescaped
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.unique_names import Names, visible
from selfchatbot.preprocessors.telegram.media import by_class, by_status, by_title
from selfchatbot.preprocessors.telegram.selection import PAGE

RESULTS = "export_results.html"
CLASS = re.compile(r'class="([^"]*)"')
ID = re.compile(r'id="message(-?\d+)"')
DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d):(\d\d)(?: UTC.*)?", re.ASCII)
ANSWERED = re.compile(r"#go_to_message(\d+)")
MEDIA = "media_wrap clearfix"
VIA = re.compile(r" via @\w+$")
AHEAD = 5_000
"""Messages that are searched for the names of a chat's members."""
LINE_BREAK = "\0"
"""Line breaks that were typed, as long as those between the tags are there as well; pages hold no NUL."""


class Entry(NamedTuple):
    """One message."""

    number: str
    time: datetime | None
    """None for what Telegram wrote."""
    author: str = ""
    text: str = ""
    """What was typed; empty where nothing was."""
    answered: str | None = None
    media: str = ""
    """See `preprocessors.media`."""


def chat_folders(pages: Iterable[ExportPath]) -> list[list[ExportPath]]:
    """The pages of each chat, the first one first."""
    folders: dict[PurePath, list[ExportPath]] = {}
    for page in pages:
        folders.setdefault(PurePath(str(page)).parent, []).append(page)
    return [sorted(pages, key=_number) for pages in folders.values()]


def owner(results: ExportPath) -> str | None:
    """The name of the account that was exported, from ``export_results.html``."""
    names: list[str] = []
    inside = False
    for tag in tags(results):
        kind = _class(tag)
        if kind.startswith("rows "):
            inside = kind == "rows names"
        elif inside and kind == "value bold":
            names.append(visible(unescaped(tag.text.strip())))
    return " ".join(names) or None


def read_chats(
    folders: list[list[ExportPath]], owners: dict[PurePath, str | None], accounts: Names, files: list[ExportFile]
) -> Iterator[Message]:
    """The messages of the chats. ``owners`` are the names of accounts by the folder of their export."""
    chats = [_Chat(pages, owners.get(PurePath(str(pages[0])).parent.parent.parent)) for pages in folders]
    # Exports of one chat, made at different times, come one after the other.
    for chat in sorted(chats, key=lambda chat: (chat.name, chat.opening)):
        yield from chat.messages(accounts, files)


class _Chat:
    """The pages of one chat."""

    def __init__(self, pages: list[ExportPath], me: str | None) -> None:
        self._pages = pages
        self.name = ""
        self.opening = datetime.max
        """When the first message was sent."""
        self._notes: list[str] = []
        authors: dict[str, None] = {}
        for entry in islice(self._entries(), AHEAD):
            if entry.time is not None:
                self.opening = min(self.opening, entry.time)
                authors[entry.author] = None
        self._notes.clear()
        self.name = self.name or PurePath(str(pages[0])).parent.name
        of_two = len(authors) == 2 and self.name in authors
        if me is None and of_two:
            me = next(author for author in authors if author != self.name)
        self._me = me
        self._group = True if len(authors) > 2 else False if of_two else None

    def messages(self, accounts: Names, files: list[ExportFile]) -> Iterator[Message]:
        """What was typed, oldest first."""
        me = None if self._me is None else _account(self._me, accounts)
        file = ExportFile(self._pages[0], self.name, me=me, group=self._group)
        files.append(file)
        own = self.name == self._me
        if own:
            file.notes.append("Saved Messages are notes to yourself, which nobody answers: left out")
        yield from chronological(
            Message(
                *(time, _account(entry.author, accounts), entry.text if entry.text.strip() else "", self.name),
                *(entry.number, entry.answered),
                media=entry.media,
            )
            for entry, time in self._counted(file)
            if (entry.text.strip() or entry.media) and not own
        )
        file.notes += self._notes

    def _counted(self, file: ExportFile) -> Iterator[tuple[Entry, datetime]]:
        for entry in self._entries():
            if entry.time is not None:
                file.add(entry.time)
                yield entry, entry.time
            elif not entry.number.startswith("-"):
                file.messages += 1

    def _entries(self) -> Iterator[Entry]:
        for path in self._pages:
            page = _Page(path)
            yield from page.entries()
            self.name = self.name or page.title
            if not page.ended:
                self._notes.append(f"{path.name} is cut short: what it has was read; export it again for the rest")


class _Page:
    """One page, read once."""

    def __init__(self, path: ExportPath) -> None:
        self._path = path
        self.title = ""
        self.ended = False
        self._stack: list[str] = []
        """The classes of the open elements within a message."""
        self._author: str | None = None
        self._via = False
        """Whether an inline bot wrote the message; in messages that join others as for those."""
        self._clear()

    def _clear(self) -> None:
        self._id = ""
        self._time: datetime | None = None
        self._service = self._forwarded = False
        self._answered: str | None = None
        self._text: list[str] | None = None
        self._complete = True
        self._media = self._link = ""

    def entries(self) -> Iterator[Entry]:
        for tag in tags(self._path):
            if self._text is not None and not self._complete:
                self._add_text(tag)
            elif tag.name == "/div":
                if self._stack:
                    self._stack.pop()
            elif tag.name == "div":
                kind = _class(tag)
                if kind.startswith("message "):
                    if self._id:
                        yield self._entry()
                    self._begin(kind, tag)
                elif self._id:
                    self._stack.append(kind)
                    self._open(kind, tag)
                elif kind == "text bold" and not self.title:
                    self.title = visible(unescaped(tag.text.strip()))
            elif tag.name == "a" and self._stack[-1:] == ["reply_to details"]:
                match = ANSWERED.search(tag.raw)
                self._answered = match[1] if match else None
            elif tag.name == "a" and self._stack[2:] == [MEDIA]:
                self._open_media(_class(tag), tag)
            elif tag.name == "/html":
                self.ended = True
        if not self.title and not self._id:
            raise ExportError(f"{self._path}: no chat of a Telegram export in it: export it again, or remove the file")
        if self._id and self._complete:
            yield self._entry()

    def _begin(self, kind: str, tag: Tag) -> None:
        self._clear()
        match = ID.search(tag.raw)
        self._id = match[1] if match else "-"
        self._service = kind.startswith("message service")
        if not self._service and "joined" not in kind.split():
            self._author, self._via = None, False
        self._stack = ["message"]

    def _open(self, kind: str, tag: Tag) -> None:
        """An element within a message."""
        if self._stack[2:3] == [MEDIA]:
            self._open_media(kind, tag)
        if len(self._stack) != 3 or self._stack[1] != "body":
            return
        if kind == "text":
            self._text, self._complete = [tag.text], False
        elif kind == "from_name":
            name = visible(unescaped(tag.text.strip()))
            self._author = VIA.sub("", name)
            self._via = self._author != name
        elif kind == "pull_right date details":
            self._time = _time(tag.attributes().get("title", ""))
        elif kind == "forwarded body":
            self._forwarded = True

    def _open_media(self, kind: str, tag: Tag) -> None:
        """An element within what was sent besides text."""
        if not self._media:
            self._media, self._link = by_class(kind), tag.attributes().get("href", "")
        elif kind == "title bold":
            self._media = by_title(self._media, tag.text.strip())
        elif kind == "status details":
            self._media = by_status(self._media, unescaped(tag.text.strip()))

    def _add_text(self, tag: Tag) -> None:
        assert self._text is not None
        if tag.name == "/div":
            self._complete = True
            self._stack.pop()
        else:
            self._text += (LINE_BREAK if tag.name == "br" else "", tag.text)

    def _entry(self) -> Entry:
        if self._service:
            return Entry(self._id, None)
        if self._time is None or self._author is None:
            missing = "date" if self._time is None else "sender"
            raise ExportError(f"{self._path}, message id {self._id}: it has no {missing}: export it again")
        if self._forwarded or self._via:
            return Entry(self._id, self._time, self._author, answered=self._answered)
        text = ""
        if self._text is not None:
            # The tags stand on lines of their own.
            text, _, _ = "".join(self._text).removeprefix("\n").rpartition("\n")
            text = unescaped(text).replace(LINE_BREAK, "\n")
        media = self._media
        if media == VOICE and (said := transcript(self._path, self._link)):
            text, media = f"{said}\n{text}".strip(), ""
        return Entry(self._id, self._time, self._author, text, self._answered, media)


def _account(name: str, accounts: Names) -> str:
    return accounts.of(f"name {name}", name)


def _class(tag: Tag) -> str:
    match = CLASS.search(tag.raw) if tag.raw else None
    return match[1] if match else ""


def _time(title: str) -> datetime | None:
    match = DATE.fullmatch(title)
    if match is None:
        return None
    day, month, year, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _number(page: ExportPath) -> int:
    match = PAGE.fullmatch(page.name)
    return int(match[1] or 1) if match else 0
