"""How one export is written: its title, its days, its names, and where its messages begin."""

import re
from collections import Counter, deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.line.days import BUDDHIST, LOOKS_LIKE_A_DAY, TIME, WEEKDAYS, Day, day_of
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, half_day
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.unique_names import visible
from selfchatbot.preprocessors.reading.unread import Unread

TITLES = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (r"Chat (?:history )?with (.+)", False),
        (r"Chat (?:history )?in (.+)", True),
        (r"(.+)とのトーク(?:履歴)?", False),
        (r"(.+)のトーク(?:履歴)?", True),
        (r'ประวัติการแชทในกลุ่ม "?(.+?)"?', True),
        (r'ประวัติการแชท(?:กับ|ของ)? ?"?(.+?)"?', False),
        (r"[与與](.+)的聊天(?:记录|記錄|紀錄)", False),
        (r"(.+)的聊天(?:记录|記錄|紀錄)", True),
    )
)
LONGEST_QUOTE = 500
"""Lines of one message. LINE's messages have 10,000 characters at most."""
MOST_NAMES = 20_000
"""In one file. A group has some hundred members at most; more is no chat, and memory is not for it."""
SAMPLE = 5_000
UNREAD = re.compile(r"[^\t\d]{0,12}\d{1,2}[:.時時点]\d\d[^\t\d]{0,12}\t[^\t]+\t")
"""How a message begins, whatever its time looks like."""


@dataclass(slots=True)
class Layout:
    """What `scan` found out about one file."""

    path: ExportPath
    chat: str
    group: bool | None
    evidence: OrderEvidence
    first: Day
    weekdays: dict[Order, dict[str, set[int]]]
    """For each possible order, the days of the week that the words for them then stand for."""
    names: Counter[str] = field(default_factory=Counter)
    tabs: bool = False
    headed: bool = False
    """Whether a title stands above it, as in exports of phones."""
    buddhist: bool = False
    sample: list[str] = field(default_factory=list)
    """What follows the first times, in an export with blanks instead of tabs."""
    order: Order | None = None
    unread: Unread = field(default_factory=Unread)

    @property
    def of_computer(self) -> bool:
        """Whether LINE's own words stand without brackets."""
        return not (self.tabs and self.headed)

    @property
    def begin(self) -> datetime:
        return (self.order and self.first.date(self.order)) or datetime.max

    def see(self, day: Day) -> None:
        """Take a day into account."""
        self.evidence.add(f"{day.a}/{day.b}/{day.c} 0:0")
        self.buddhist = self.buddhist or day.c >= BUDDHIST
        for order, words in self.weekdays.items():
            if len(words) < SAMPLE and (date := day.date(order)):
                words.setdefault(day.weekday.casefold(), set()).add(date.weekday())

    def by_weekday(self) -> Order | None:
        """The only order in which each word stands for one day of the week, and a known one for its own."""
        possible: list[Order] = []
        for order, words in self.weekdays.items():
            days = [next(iter(found)) for found in words.values() if len(found) == 1]
            known = all(WEEKDAYS.get(word, found) == found for word, found in zip(words, days, strict=False))
            if known and len(set(days)) == len(days) == len(words):
                possible.append(order)
        return possible[0] if len(possible) == 1 else None


def scan(path: ExportPath) -> Layout:
    """Look through a file and find out how it is written.

    All of it, before it is read: the order of day and month, and who writes, may show only at its end. That costs 0.1 s
    per 100,000 messages.

    Raises ExportError for what is no export of LINE.
    """
    layout: Layout | None = None
    title = ""
    number = 0
    lines = _Lines(decoded_lines(path))
    written: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        if number == 1:
            title = line
        if (match := TIME.fullmatch(line)) is not None and layout is not None:
            rest = match["rest"]
            if match["gap"] == "\t":
                layout.tabs = True
                name, tab, _ = rest.partition("\t")
                if tab and name and (name in written or len(written) < MOST_NAMES):
                    written[name] += 1
            elif len(layout.sample) < SAMPLE:
                layout.sample.append(rest)
        elif day := day_of(line, None if layout is not None and layout.first.is_known else lines.peek()):
            if layout is None:
                orders: list[Order] = ["ymd"] if day.a > 999 else ["dmy", "mdy"]
                evidence = OrderEvidence("0000/0/0 0:0" if day.a > 999 else "0/0/0000 0:0")
                layout = Layout(path, *_titled(path, title), evidence, day, {order: {} for order in orders})
                layout.headed = _has_title(title)
            layout.see(day)
    if number == 0:
        raise ExportError(f"{path} is empty: export the chat again, or remove the file")
    if layout is None or not (layout.tabs or layout.sample):
        raise ExportError(
            f'{path}: no message of LINE in it, expected days like "2018/07/10(Tue)" and lines like "22:10, tab, name, '
            'tab, text": export the chat again, or remove the file'
        )
    for name, count in written.items():
        layout.names[visible(name)] += count
    return layout


def entries(layout: Layout, names: Container[str] | None = None) -> Iterator[tuple[datetime, str]]:
    """Each time of a file with what follows it up to the next one.

    ``names`` are those in an export with blanks instead of tabs. A line that begins like a message but can't be read
    ends the one before it, and is counted in ``layout.unread``; so is a line that looks like an unreadable day.
    """
    assert layout.order is not None
    gap = "\t" if layout.tabs else " "
    lines = _Lines(decoded_lines(layout.path))
    # Where the weekdays are those of a known language, all of them are.
    known = layout.first.is_known
    clock = _Clock()
    layout.unread = Unread()
    day: datetime | None = None
    time: datetime | None = None
    body: list[str] = []
    for line in lines:
        match = TIME.fullmatch(line)
        if match and match["gap"] == gap and day is not None:
            passed = clock.since_midnight(match)
            if passed is not None and (
                layout.tabs or time is None or names is None or _is_message(match, day + passed < time, names)
            ):
                if time is not None:
                    yield time, _joined(body)
                time, body = day + passed, [match["rest"]]
                if '\t"' in match["rest"] and not line.endswith('"'):
                    body.extend(lines.quoted())
                continue
            if passed is None and layout.tabs and "\t" in match["rest"]:
                layout.unread.add(lines.number)
                if time is not None:
                    yield time, _joined(body)
                time, body = None, []
                continue
        elif match is None and (begun := day_of(line, None if known else lines.peek())):
            date = begun.date(layout.order)
            if date is None:
                layout.unread.add(lines.number)
            if time is not None:
                yield time, _joined(body)
            day, time, body = date, None, []
            continue
        elif (match is None and LOOKS_LIKE_A_DAY.fullmatch(line) and lines.is_time_next(gap)) or (
            layout.tabs and day is not None and UNREAD.match(line)
        ):
            layout.unread.add(lines.number)
        if time is not None:
            body.append(line)
    if time is not None:
        yield time, _joined(body)


def _is_message(match: re.Match[str], is_earlier: bool, names: Container[str]) -> bool:
    """Whether a line with a time, in an export with blanks, begins a message: people write times, too.

    Those of the app have two digits and don't go back; without a known name behind them, both count.
    """
    rest = match["rest"]
    known = any(" ".join(rest.split(" ", count)[:count]) in names for count in range(1, 6))
    return known or not (is_earlier or (len(match["hour"]) == 1 and not match["half"] and not match["end"]))


class _Clock:
    """Reads times of the day; remembers how they are written."""

    def __init__(self) -> None:
        self._halves: dict[tuple[str, str | None], int | None] = {}

    def since_midnight(self, match: re.Match[str]) -> timedelta | None:
        """None for what is no time, as after other words than those for AM and PM."""
        key = (match["half"], match["end"])
        if key not in self._halves:
            self._halves[key] = half_day(f"{key[0]} {key[1] or ''}")
        half = self._halves[key]
        hour, minute = int(match["hour"]), int(match["minute"])
        if half is not None:
            hour = hour % 12 + half if hour <= 12 else 24
        elif key[0].strip():
            return None
        return timedelta(hours=hour, minutes=minute) if hour < 24 and minute < 60 else None


class _Lines:
    """Lines, with a look at the next one, and ahead for the end of a text in quotation marks."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        ahead, lines = self._ahead, self._lines
        while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
            self.number += 1
            yield line

    def peek(self) -> str | None:
        """The next line, None at the end."""
        if not self._ahead:
            following = next(self._lines, None)
            if following is None:
                return None
            self._ahead.append(following)
        return self._ahead[0]

    def is_time_next(self, gap: str) -> bool:
        """Whether the next line begins with a time."""
        following = self.peek()
        match = TIME.fullmatch(following) if following is not None else None
        return match is not None and match["gap"] == gap

    def quoted(self) -> list[str]:
        """The lines up to the one that ends in a quotation mark; none when the mark that began it was just typed."""
        taken: list[str] = []
        for line in self:
            taken.append(line)
            begins = TIME.fullmatch(line)
            # Such a line would end, or begin, the text of another message.
            if begins is not None and begins["gap"] == "\t" and ('\t"' in line or line.endswith('"')):
                break
            if line.endswith('"'):
                return taken
            if len(taken) == LONGEST_QUOTE:
                break
        self._ahead.extendleft(reversed(taken))
        self.number -= len(taken)
        return []


def _joined(body: list[str]) -> str:
    """The lines of one message; blank ones at its end stand before a day."""
    while len(body) > 1 and not body[-1]:
        body.pop()
    return "\n".join(body)


def _has_title(line: str) -> bool:
    return line.startswith(("[LINE]", "Chat history"))


def _titled(path: ExportPath, first: str) -> tuple[str, bool | None]:
    """The contact or group, and whether it is a group: as the first line says, or else the name of the file."""
    for text in (first, path.stem):
        title = text.removeprefix("[LINE]").strip()
        if not _has_title(text):
            continue
        for pattern, group in TITLES:
            if match := pattern.fullmatch(title):
                return match[1], group
        if title:
            return title, None
    return path.stem, None
