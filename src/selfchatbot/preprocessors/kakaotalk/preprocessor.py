r"""KakaoTalk's own export ("Export chat"): .txt from Android, iOS and Windows, .csv from macOS.

Grammar: exports, and public parsers of them. Two lines of head (``NAME 님과 카카오톡 대화``, when it was saved), then::

    2016년 2월 5일 오전 1:33, NAME : text          Android; in English "February 5, 2016, 1:33 AM, NAME : text"
    2025. 10. 14. 오전 9:30, NAME : text          iOS; in English "Oct 14, 2025 at 9:30 AM, NAME : text"
    2025년 10월 14일 화요일                         newer iOS: a line for the day, ...
    오전 9:30, NAME : text                         ... and then only the time
    --------------- 2020년 6월 28일 일요일 ---------------
    [NAME] [오전 1:01] text                        Windows
    2024-01-05 18:30:12,"NAME","text"             macOS, below the line "Date,User,Message"

and the further lines of a text below. What has no ``NAME : `` is the app's; Windows puts that on lines without a time.
Old exports call their owner 회원님.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor, same_name
from selfchatbot.preprocessors.kakaotalk.kinds import LOOKS_LIKE_ONE, Kind, date_of, kind_of, time_of
from selfchatbot.preprocessors.kakaotalk.media import besides_text
from selfchatbot.preprocessors.kakaotalk.notices import is_event, is_event_about, is_whole
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.unique_names import visible
from selfchatbot.preprocessors.reading.unread import Unread

CSV_HEAD = "Date,User,Message"
ME = ("회원님", "You", "you")
MOST_NAMES = 20_000
"""In one file. A group has some thousand members at most; more is no chat, and memory is not for it."""

TITLE = re.compile(
    r"(.+?) ?님과(?:의)? 카카오톡 대화|(.+?) 카카오톡 대화|(?:KakaoTalk )?Chats? with (.+?)(?:\.txt)?"
    r"|(.+?) (?:with KakaoTalk|Talk) Chats"
)
WHEN = re.compile(r"(?:_\d{4}-\d\d-\d\d-[\d-]+|-\d{1,3})\Z")


class Entry(NamedTuple):
    """A message as it stands in the file."""

    time: datetime
    author: str
    """Empty for words of the app."""
    text: str


@dataclass(slots=True)
class Layout:
    """What a first look at a file shows."""

    path: ExportPath
    kind: Kind | None
    """None: a table."""
    chat: str
    first: datetime = datetime.max
    names: Counter[str] = field(default_factory=Counter)
    unread: Unread = field(default_factory=Unread)

    def entries(self) -> Iterator[Entry]:
        """The messages of the file, in its order."""
        return _table(self.path) if self.kind is None else self._of_text(self.kind)

    def _of_text(self, kind: Kind) -> Iterator[Entry]:
        """A line for the day is one only before a message, as people write dates as well."""
        self.unread = Unread()
        day: tuple[int, int, int] | None = None
        entry: Entry | None = None
        body: list[str] = []
        for number, (line, following) in enumerate(pairwise(chain(decoded_lines(self.path), (None,))), 1):
            assert line is not None
            match = kind.message.fullmatch(line)
            if match is not None:
                if entry is not None:
                    yield self._whole(entry, body, kind)
                time = time_of(match, day)
                if time is None:
                    # Of whom and when it is, nobody knows: it must not become a part of the message before.
                    self.unread.add(number)
                entry, body = None if time is None else Entry(time, *kind.split(match)), []
            elif (begun := kind.day.fullmatch(line)) and (
                kind.brackets or following is None or entry is None or kind.message.fullmatch(following)
            ):
                if entry is not None:
                    yield self._whole(entry, body, kind)
                day, entry = date_of(begun), None
            else:
                if (entry or day) is not None and LOOKS_LIKE_ONE.match(line):
                    self.unread.add(number)
                if entry is not None:
                    body.append(line)
        if entry is not None:
            yield self._whole(entry, body, kind)

    def _whole(self, entry: Entry, body: list[str], kind: Kind) -> Entry:
        """A message with its further lines, without the app's words and the blank lines that stand before the next."""
        while body and (not body[-1].strip() or (kind.brackets and is_event(body[-1], self.names))):
            body.pop()
        return entry._replace(text="\n".join((entry.text, *body))) if body else entry

    def authors(self) -> Iterator[str]:
        """Who wrote them, which is read faster than the messages."""
        if self.kind is None:
            return (entry.author for entry in self.entries())
        matches = map(self.kind.message.fullmatch, decoded_lines(self.path))
        return (self.kind.split(match)[0] for match in matches if match)


class KakaoTalk(Preprocessor):
    """KakaoTalk chats, one .txt or .csv each."""

    name: ClassVar[str] = "KakaoTalk"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".csv")

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        layouts = [_scan(file) for file in self.export_files(path)]
        # Exports of one chat, and the parts of a long one, come one after the other, the older first.
        for layout in sorted(layouts, key=lambda layout: (layout.chat, layout.first, str(layout.path))):
            yield from chronological(_read_file(layout, files))

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        text = head.decode(errors="replace").removeprefix("\ufeff")
        lines = [line.removesuffix("\r") for line in text.split("\n")[:20]]
        if path.suffix.lower() == ".csv":
            return lines[0] == CSV_HEAD
        return path.suffix.lower() == ".txt" and (
            "카카오톡 대화" in lines[0] or "KakaoTalk" in lines[0] or kind_of(lines) is not None
        )


def _read_file(layout: Layout, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file in its order."""
    file = ExportFile(path=layout.path, chat=layout.chat)
    mine = [name for name in layout.names if name in ME or not same_name(name, layout.chat)]
    direct = len(layout.names) == 2 and len(mine) == 1
    file.group = True if len(layout.names) > 2 else False if direct else None
    file.me = next((name for name in layout.names if name in ME), mine[0] if direct else None)
    files.append(file)
    for time, author, text in layout.entries():
        if not author:
            continue
        file.add(time)
        if not text or text.isspace():
            continue
        if not is_whole(text):
            yield Message(time, author, text, layout.chat)
        elif media := besides_text(text):
            yield Message(time, author, "", layout.chat, media=media)
    file.notes.extend(layout.unread.notes())


def _scan(path: ExportPath) -> Layout:
    """How a file is written, and who writes in all of it (0.2 s per 100,000 messages). ExportError if it is another."""
    lines = decoded_lines(path)
    first = next(lines, None)
    if first is None:
        raise ExportError(f"{path} is empty: export the chat again, or remove the file")
    named = WHEN.sub("", path.stem).removeprefix("KakaoTalk_Chat_")
    if path.suffix.lower() == ".csv":
        if first != CSV_HEAD:
            raise ExportError(f'{path}, line 1: expected "{CSV_HEAD}": export the chat again, or remove the file')
        layout = Layout(path, None, named)
    else:
        kind = kind_of(chain((first,), lines))
        if kind is None:
            raise ExportError(
                f'{path}: no message of KakaoTalk in it, expected lines like "2016년 2월 5일 오전 1:33, Name : text" '
                f'or "[Name] [오전 1:01] text": export the chat again, or remove the file'
            )
        title = TITLE.fullmatch(first)
        layout = Layout(path, kind, next(filter(None, title.groups())) if title else named)
    for author in layout.authors():
        if author and (author in layout.names or len(layout.names) < MOST_NAMES):
            layout.names[author] += 1
    begin = next(layout.entries(), None)
    if begin is None or not layout.names:
        raise ExportError(f"{path}: no message of KakaoTalk in it: export the chat again, or remove the file")
    layout.first = begin.time
    return layout


def _table(path: ExportPath) -> Iterator[Entry]:
    """The messages of a macOS table. Raises ExportError with the line for what is none."""
    rows = csv.reader(f"{line}\n" for line in decoded_lines(path))
    try:
        next(rows)
        for row in rows:
            if not row:
                continue
            try:
                date, author, text = row
                time = datetime.fromisoformat(date).replace(tzinfo=None)
            except ValueError:
                raise ExportError(
                    f"{path}, line {rows.line_num}: expected a date, a name and a text: export the chat again"
                ) from None
            author = visible(author)
            yield Entry(time, "" if is_event_about(text, author) else author, text)
    except csv.Error as error:
        raise ExportError(f"{path}, line {rows.line_num}: no table ({error}): export the chat again") from error
