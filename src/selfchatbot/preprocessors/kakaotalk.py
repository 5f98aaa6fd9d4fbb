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
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, Preprocessor, same_name
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.dates import MONTHS, half_day, wall_clock
from selfchatbot.preprocessors.reading.lines import decoded_lines

CSV_HEAD = "Date,User,Message"
ME = ("회원님", "You", "you")
ENOUGH = 50
"""Messages that show how a file is written."""
MOST_NAMES = 20_000
"""In one file. A group has some thousand members at most; more is no chat, and memory is not for it."""

_NUMBERS = r"(?P<year>\d{4})[년年.-] ?(?P<month>\d{1,2})[월月.-] ?(?P<day>\d{1,2})[일日.]?"
_ENGLISH = r"(?:(?P<day>\d{1,2}) )?(?P<name>[A-Z][a-z]{2,8})\.? (?:(?P<day_>\d{1,2}), )?(?P<year>\d{4})"
_GAP = "[ \u00a0\u202f]"
_HALF = rf"[AaPp]\.?{_GAP}?[Mm]\.?"
_CLOCK = rf"(?:(?P<half>[^\W\d]{{2}}){_GAP}?)?(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?:{_GAP}(?P<end>{_HALF}))?"
_AT = rf"(?:,| at)?{_GAP}{_CLOCK}"
_WORD = r"[^\W\d_]+"


class Kind(NamedTuple):
    """One of the ways in which messages are written."""

    message: re.Pattern[str]
    day: re.Pattern[str]
    """A line for the day, which stands before the first message of a day."""
    brackets: bool = False

    def split(self, match: re.Match[str]) -> tuple[str, str]:
        """Name and text of a message, no name for words of the app."""
        if self.brackets:
            return match["who"], match["rest"] or ""
        author, colon, text = match["rest"].partition(" : ")
        return (author, text) if colon else ("", author)


KINDS = (
    Kind(re.compile(rf"{_NUMBERS}{_AT}[,:] (?P<rest>.*)"), re.compile(rf"{_NUMBERS}(?: {_WORD}|{_AT})")),
    Kind(re.compile(rf"{_ENGLISH}{_AT}[,:] (?P<rest>.*)"), re.compile(rf"(?:{_WORD}, )?{_ENGLISH}(?:{_AT})?")),
    Kind(re.compile(rf"{_CLOCK}, (?P<rest>.*)"), re.compile(rf"{_NUMBERS} {_WORD}")),
    Kind(re.compile(rf"{_CLOCK}, (?P<rest>.*)"), re.compile(rf"{_WORD}, {_ENGLISH}")),
    *(
        Kind(
            re.compile(rf"\[(?P<who>.+?)\] \[{_CLOCK}\](?: (?P<rest>.*))?"),
            re.compile(rf"-{{5,}} (?:{_WORD}, )?{date}(?: {_WORD})? -{{5,}}"),
            brackets=True,
        )
        for date in (_NUMBERS, _ENGLISH)
    ),
)
TITLE = re.compile(
    r"(.+?) ?님과(?:의)? 카카오톡 대화|(.+?) 카카오톡 대화|(?:KakaoTalk )?Chats? with (.+?)(?:\.txt)?"
    r"|(.+?) (?:with KakaoTalk|Talk) Chats"
)
WHEN = re.compile(r"(?:_\d{4}-\d\d-\d\d-[\d-]+|-\d{1,3})\Z")
NOTHING = re.compile(
    r"사진(?: \d+장)?|동영상|이모티콘|음성 ?메시지|삭제된 메시지입니다\.?|메시지가 삭제되었습니다\.?|<\S+ 읽지 않음>"
    r"|(?:파일|지도|연락처|샵검색): ?\S[^\n]*"
    r"|(?:보이스톡|페이스톡|그룹콜|라이브톡) (?:해요|취소|부재중|거절|시작|종료|\d[\d:]*)"
    r"|Photos?|\d+ [Pp]hotos|Videos?|Emoticons?|Voice [Mm]essage|(?:This|Deleted) message(?: was deleted)?\."
    r"|(?:File|Map|Contact): ?\S[^\n]*|(?:Voice|Face|Live) Talk (?:started|ended|canceled|missed|\d[\d:]*)"
    r"|写真|動画|スタンプ|ボイスメッセージ|ファイル: ?\S[^\n]*|[0-9a-f]{32,64}\.\w{3,4}"
)
"""Stands in the place of a whole message."""
EVENT = re.compile(
    r".+님[이을] (?:들어왔습니다|나갔습니다|내보냈습니다)\.?|채팅방 관리자가 메시지를 가렸습니다\.?"
    r"|.+님이 .+님을 (?:초대했습니다|초대하였습니다|내보냈습니다)\.?"
    r"|.+ (?:joined|left) (?:this|the) chat ?room\.|.+ invited .+ to (?:this|the) chat ?room\."
)


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

    def entries(self) -> Iterator[Entry]:
        """The messages of the file, in its order."""
        return _table(self.path) if self.kind is None else _entries(self.path, self.kind)

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
            yield from _read_file(layout, files)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        text = head.decode(errors="replace").removeprefix("\ufeff")
        lines = [line.removesuffix("\r") for line in text.split("\n")[:20]]
        if path.suffix.lower() == ".csv":
            return lines[0] == CSV_HEAD
        return path.suffix.lower() == ".txt" and (
            "카카오톡 대화" in lines[0] or "KakaoTalk" in lines[0] or _kind(lines) is not None
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
        if text and not text.isspace() and not NOTHING.fullmatch(text):
            yield Message(time, author, text, layout.chat)


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
        kind = _kind(chain((first,), lines))
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


def _kind(lines: Iterator[str] | list[str]) -> Kind | None:
    """How most of the first messages are written: in the way that also has the lines for days which stand between."""
    messages: Counter[int] = Counter()
    days: Counter[int] = Counter()
    for line in lines:
        for number, kind in enumerate(KINDS):
            match = kind.message.fullmatch(line)
            if match and (kind.brackets or " : " in match["rest"]):
                messages[number] += 1
            elif kind.day.fullmatch(line):
                days[number] += 1
        if messages and messages.most_common(1)[0][1] >= ENOUGH:
            break
    # Without a date in each message there must be lines for days.
    possible = [number for number in messages if number < 2 or days[number]]
    return KINDS[max(possible, key=lambda number: (messages[number], days[number]))] if possible else None


def _entries(path: ExportPath, kind: Kind) -> Iterator[Entry]:
    """The messages of a text file. A line for the day is one only before a message, as people write dates as well."""
    day: tuple[int, int, int] | None = None
    entry: Entry | None = None
    body: list[str] = []
    for line, following in pairwise(chain(decoded_lines(path), (None,))):
        assert line is not None
        match = kind.message.fullmatch(line)
        time = None if match is None else _time(match, day)
        if match is not None and time is not None:
            if entry is not None:
                yield _whole(entry, body, kind)
            entry, body = Entry(time, *kind.split(match)), []
        elif (begun := kind.day.fullmatch(line)) and (
            kind.brackets or following is None or entry is None or kind.message.fullmatch(following)
        ):
            if entry is not None:
                yield _whole(entry, body, kind)
            day, entry = _date(begun), None
        elif entry is not None:
            body.append(line)
    if entry is not None:
        yield _whole(entry, body, kind)


def _whole(entry: Entry, body: list[str], kind: Kind) -> Entry:
    """A message with its further lines, without the app's words and the blank lines that stand before the next one."""
    while body and (not body[-1].strip() or (kind.brackets and EVENT.fullmatch(body[-1]))):
        body.pop()
    return entry._replace(text="\n".join((entry.text, *body))) if body else entry


def _date(match: re.Match[str]) -> tuple[int, int, int]:
    """Year, month and day, with 0 for a word that is no month."""
    if "name" not in match.re.groupindex:
        year, month, day = match.group("year", "month", "day")
        return int(year), int(month), int(day)
    year, name, day, behind = match.group("year", "name", "day", "day_")
    return int(year), MONTHS.get(name[:3].lower(), 0), int(day or behind or 0)


_half_day = lru_cache(maxsize=256)(half_day)


def _time(match: re.Match[str], day: tuple[int, int, int] | None) -> datetime | None:
    """The time of a message, on the day of its own or else on ``day``; None where it can't be one."""
    year, month, number = _date(match) if "year" in match.re.groupindex else day or (0, 0, 0)
    before, clock, minute, behind = match.group("half", "hour", "minute", "end")
    hour = int(clock)
    if before is not None or behind is not None:
        half = _half_day(before or behind)
        if half is None or hour > 12:
            return None
        hour = hour % 12 + half
    return wall_clock(year, month, number, hour, int(minute)) if month else None


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
            yield Entry(time, "" if text.endswith((".", "다")) and EVENT.fullmatch(text) else author, text)
    except csv.Error as error:
        raise ExportError(f"{path}, line {rows.line_num}: no table ({error}): export the chat again") from error
