"""How one export is written: its title, its days, its names, and where its messages begin."""

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, half_day, wall_clock
from selfchatbot.preprocessors.reading.lines import decoded_lines

DAY = re.compile(
    r"(?:(?P<before>[^\W\d_]+)\.?,? )?(?P<a>\d{1,4})[./年년-] ?(?P<b>\d{1,2})[./月월-] ?(?P<c>\d{1,4})"
    r"(?:[.日일]? ?[(（]?(?P<after>[^\W\d_]+)[)）]?)?"
)
TIME = re.compile(
    r"(?P<half>\D{0,5}?)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<end> ?[AaPp]\.?[Mm]\.?)?(?P<gap>[\t ])(?P<rest>.*)"
)
TITLES = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (r"Chat (?:history )?with (.+)", False),
        (r"Chat (?:history )?in (.+)", True),
        (r"(.+)とのトーク(?:履歴)?", False),
        (r"(.+)のトーク(?:履歴)?", True),
        (r"[与與](.+)的聊天(?:记录|記錄|紀錄)", False),
        (r"(.+)的聊天(?:记录|記錄|紀錄)", True),
    )
)
# From Monday on, in languages that don't put the year first: English, Thai, Indonesian, Spanish, French, German,
# Italian, Portuguese.
WEEKDAYS = {
    word: number
    for week in (
        *(
            "mon tue wed thu fri sat sun",
            "จ อ พ พฤ ศ ส อา",
            "sen sel rab kam jum sab min",
            "lun mar mié jue vie sáb dom",
        ),
        *(
            "lun mar mer jeu ven sam dim",
            "mo di mi do fr sa so",
            "lun mar mer gio ven sab dom",
            "seg ter qua qui sex sáb dom",
        ),
    )
    for number, word in enumerate(week.split())
}
LONGEST_QUOTE = 500
"""Lines of one message. LINE's messages have 10,000 characters at most."""
MOST_NAMES = 20_000
"""In one file. A group has some hundred members at most; more is no chat, and memory is not for it."""
SAMPLE = 5_000


class Day(NamedTuple):
    """A line that begins a day: its numbers in the order of the file, and the weekday as the file writes it."""

    a: int
    b: int
    c: int
    weekday: str

    def date(self, order: Order) -> datetime | None:
        """The midnight it begins at, None when there is no such day."""
        a, b, c = self.a, self.b, self.c
        year, month, day = (c, b, a) if order == "dmy" else (c, a, b) if order == "mdy" else (a, b, c)
        return wall_clock(year, month, day, 0, 0)


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
    sample: list[str] = field(default_factory=list)
    """What follows the first times, in an export with blanks instead of tabs."""
    order: Order | None = None

    @property
    def begin(self) -> datetime:
        return (self.order and self.first.date(self.order)) or datetime.max

    def see(self, day: Day) -> None:
        """Take a day into account."""
        self.evidence.add(f"{day.a}/{day.b}/{day.c} 0:0")
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
    for number, line in enumerate(decoded_lines(path), 1):
        if number == 1:
            title = line
        if (match := TIME.fullmatch(line)) is not None and layout is not None:
            rest = match["rest"]
            if match["gap"] == "\t":
                layout.tabs = True
                name, tab, _ = rest.partition("\t")
                if tab and name and (name in layout.names or len(layout.names) < MOST_NAMES):
                    layout.names[name] += 1
            elif len(layout.sample) < SAMPLE:
                layout.sample.append(rest)
        elif day := day_of(line):
            if layout is None:
                orders: list[Order] = ["ymd"] if day.a > 999 else ["dmy", "mdy"]
                evidence = OrderEvidence("0000/0/0 0:0" if day.a > 999 else "0/0/0000 0:0")
                layout = Layout(path, *_titled(path, title), evidence, day, {order: {} for order in orders})
            layout.see(day)
    if number == 0:
        raise ExportError(f"{path} is empty: export the chat again, or remove the file")
    if layout is None or not (layout.tabs or layout.sample):
        raise ExportError(
            f'{path}: no message of LINE in it, expected days like "2018/07/10(Tue)" and lines like "22:10, tab, name, '
            'tab, text": export the chat again, or remove the file'
        )
    return layout


def day_of(line: str) -> Day | None:
    """``line`` as the begin of a day: a year of four digits, and a weekday before or behind the date."""
    match = DAY.fullmatch(line)
    if match is None or (match["before"] is None) == (match["after"] is None):
        return None
    if (len(match["a"]) == 4) == (len(match["c"]) == 4):
        return None
    return Day(int(match["a"]), int(match["b"]), int(match["c"]), match["before"] or match["after"])


def entries(layout: Layout) -> Iterator[tuple[datetime, str]]:
    """Each time of a file with what follows it up to the next one."""
    assert layout.order is not None
    gap = "\t" if layout.tabs else " "
    lines = _Lines(decoded_lines(layout.path))
    clock = _Clock()
    day: datetime | None = None
    time: datetime | None = None
    body: list[str] = []
    for line in lines:
        match = TIME.fullmatch(line)
        if match and match["gap"] == gap and day is not None and (passed := clock.since_midnight(match)) is not None:
            if time is not None:
                yield time, _joined(body)
            time, body = day + passed, [match["rest"]]
            if '\t"' in match["rest"] and not line.endswith('"'):
                body.extend(lines.quoted())
        elif (begun := day_of(line)) and (date := begun.date(layout.order)):
            if time is not None:
                yield time, _joined(body)
            day, time, body = date, None, []
        elif time is not None:
            body.append(line)
    if time is not None:
        yield time, _joined(body)


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
    """Lines, with a look ahead for the end of a text in quotation marks."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return self._ahead.popleft() if self._ahead else next(self._lines)

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
        return []


def _joined(body: list[str]) -> str:
    """The lines of one message; blank ones at its end stand before a day."""
    while len(body) > 1 and not body[-1]:
        body.pop()
    return "\n".join(body)


def _titled(path: ExportPath, first: str) -> tuple[str, bool | None]:
    """The contact or group, and whether it is a group: as the first line says, or else the name of the file."""
    for text in (first, path.stem):
        title = text.removeprefix("[LINE]").strip()
        if title == text and not text.startswith("Chat history"):
            continue
        for pattern, group in TITLES:
            if match := pattern.fullmatch(title):
                return match[1], group
        if title:
            return title, None
    return path.stem, None
