"""The beginnings of messages: date and time, as the phone's country writes them, and what follows."""

import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from selfchatbot.preprocessors.reading.dates import ERAS, Order, OrderEvidence, era, half_day, shape, wall_clock

_MARKS = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
_ERA = f"(?:{'|'.join(name.upper() for name in ERAS)})"
_DAY = rf"(?P<e>{_ERA}?)(?P<a>\d{{1,4}})(?P<s>[^\d\n]{{1,4}})(?P<b>\d{{1,2}})(?P<t>[^\d\n]{{1,6}})(?P<c>\d{{1,4}})"
# "15:04", "15.04", "15 h 04"; with seconds "15:04:05", "15 h 04 min 05 s".
_CLOCK = (
    r"(?P<h>\d{1,2})(?P<x>[:.]|\s?h\s?)(?P<m>\d{2})"
    r"(?:(?P<y>[:.]|\s?min\s?)(?P<n>\d{2})(?P<z>\s?s(?![^\W\d]))?)?"
)
_DATES = (rf"{_DAY}(?P<u>\D{{1,20}}?){_CLOCK}(?P<v>\D{{0,20}}?)", rf"{_CLOCK}(?P<v>\D{{0,12}}?)(?P<u>,? ){_DAY}")
# iOS; Android; iOS up to 2014.
_LINES = (r"\[{}\] ?(?:- )?(?P<rest>.*)", r"{}\s[-–—]\s(?P<rest>.*)", r"{}: (?P<rest>.*)")
BRACKETS, DASH = 0, 1
_PLAUSIBLE = re.compile(rf"{_MARKS}\[?{_MARKS}{_ERA}?\d{{1,4}}\D")
# "5 Mar 2024, 10:01", "Mar 5, 2024, 10:01:02 AM": no export writes the month so, but tools that change one do.
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[^\\W\\d]*\\.?"
_NAMED = re.compile(rf"{_MARKS}\[?{_MARKS}(?:[^\W\d]{{2,9}},? )?(?:\d{{1,2}}[^\w\n]{{1,2}})?{_MONTH}[^\w\n]")
# Six or eight numbers where a date and a time are, and a name: the beginning of a message, whatever the words in it.
_NUMBERS = (
    rf"{_MARKS}{_ERA}?\d{{1,4}}(?:[^\d\n]{{1,6}}\d{{1,4}}){{2}}"
    r"[^\d\n]{1,24}\d{1,2}(?:[^\d\n]{1,5}\d{1,2}){1,2}"
)
_LIKE_LINES = (r"\[{}[^\d\n]{{0,40}}\] ?", r"{}[^\d\n]{{0,40}}?\s[-–—]\s", r"{}: ")
_NUMBERS_AND_NAME = (
    rf"{_MARKS}(?:[^\W\d]{{2,9}},? )?(?:\d{{1,2}}[^\w\n]{{1,2}}{_MONTH}|{_MONTH}[^\w\n]{{1,2}}\d{{1,2}})"
    r"[^\w\n]{1,2}\d{2,4}[^\d\n]{1,24}\d{1,2}(?:[^\d\n]{1,5}\d{1,2}){1,2}"
)
_LOOKS_LIKE = tuple(
    tuple(re.compile(rf"{_MARKS}{line.format(date)}[^\n]{{1,80}}?:(?: .*)?", re.DOTALL) for line in _LIKE_LINES)
    for date in (_NUMBERS, _NUMBERS_AND_NAME)
)
MOST_STYLES = 32
"""Of dates in one file. An export has one or two, and what people paste a few more."""
_GROUPS = ("lead", "a", "b", "c", "h", "m", "n", "rest")
_LOWER_HALF = re.compile(r"[ap]m\b")
_CALENDAR = re.compile(r"\b(?:be|ah|ap)\b")


class Style(NamedTuple):
    """How a date is written. All dates of a file have the same ``line`` and ``shape``."""

    line: int
    shape: str
    """The same for all words for the half of the day."""
    date: str
    """The shape as it is."""
    day_first: bool
    """Whether only people who put the day before the month write like this."""
    hours: tuple[int, ...] | None
    """The hour of the day for 0 to 12 of a clock that counts to 12, None for one that counts to 24."""
    era: int
    """Years to add to the year."""


class Stamp(NamedTuple):
    """A line that begins a message, or could: its date taken apart."""

    style: Style
    lead: str
    """Invisible marks before the date."""
    a: str
    """Day, month and year, in the order of the file."""
    b: str
    c: str
    hour: str
    minute: str
    second: str | None
    rest: str
    """What follows the date: name and text, or words of the app."""

    def time(self, order: Order) -> datetime | None:
        """Wall-clock time, None when there is no such date."""
        hour, hours = int(self.hour), self.style.hours
        if hours is not None:
            if hour > 12:
                return None
            hour = hours[hour]
        a, b, c = int(self.a), int(self.b), int(self.c)
        year, month, day = (c, b, a) if order == "dmy" else (c, a, b) if order == "mdy" else (a, b, c)
        return wall_clock(year + self.style.era, month, day, hour, int(self.minute), int(self.second or 0))


class StampReader:
    """Reads the beginnings of messages. For each style that it meets it makes a pattern, which is fast."""

    def __init__(self) -> None:
        self._known: list[tuple[re.Pattern[str], Style, tuple[int, ...]]] = []

    def __call__(self, line: str) -> Stamp | None:
        for pattern, style, places in self._known:
            if match := pattern.fullmatch(line):
                return Stamp(style, *match.group(*places))
        if not _PLAUSIBLE.match(line) or len(self._known) >= MOST_STYLES:
            return None
        for number, pattern in enumerate(_ANY):
            if (match := pattern.fullmatch(line)) and (known := _style(number, match)):
                self._known.append((*known, tuple(known[0].groupindex[name] for name in _GROUPS)))
                return Stamp(known[1], *match.group(*_GROUPS))
        return None


def looks_like_stamp(line: str, kind: int) -> bool:
    """Whether a line that `StampReader` can't read begins as a message does in lines of this kind."""
    return any(
        beginning.match(line) and patterns[kind].fullmatch(line)
        for beginning, patterns in zip((_PLAUSIBLE, _NAMED), _LOOKS_LIKE, strict=True)
    )


def _line(number: int, date: str) -> re.Pattern[str]:
    return re.compile(f"(?P<lead>{_MARKS}){_LINES[number % 3].format(_MARKS + date)}", re.DOTALL)


_ANY = tuple(_line(number, _DATES[number // 3]) for number in range(6))


def _style(number: int, match: re.Match[str]) -> tuple[re.Pattern[str], Style] | None:
    """The style of a line that begins with a date, and the pattern of all lines like it."""
    e, s, t, u, v, x, y, z = (part or "" for part in match.group("e", "s", "t", "u", "v", "x", "y", "z"))
    a, b, c, h, m, n = match.group("a", "b", "c", "h", "m", "n")
    # A dot in the clock is no other style than a colon.
    clock = f"{h}{x.replace('.', ':')}{m}" if n is None else f"{h}{x.replace('.', ':')}{m}{y.replace('.', ':')}{n}{z}"
    found = shape(f"{e}{a}{s}{b}{t}{c}{u}{clock}{v}")
    if found is None:
        return None
    digits = [r"\d{4}" if len(part) == 4 else r"\d{1,3}" if era(e) or era(t) else r"\d{1,2}" for part in (a, c)]
    day = rf"{re.escape(e)}(?P<a>{digits[0]}){re.escape(s)}(?P<b>\d{{1,2}}){re.escape(t)}(?P<c>{digits[1]})"
    between, behind = ("[:.]" if part in ":." else re.escape(part) for part in (x, y))
    clock = rf"(?P<h>\d{{1,2}}){between}(?P<m>\d{{2}})"
    clock += rf"(?P<n>){re.escape(v)}" if n is None else rf"{behind}(?P<n>\d{{2}}){re.escape(z + v)}"
    date = f"{day}{re.escape(u)}{clock}" if number < 3 else f"{clock}{re.escape(u)}{day}"
    hours = _hours(f"{u} {v}")
    style = Style(
        line=number % 3,
        shape=re.sub("[QW]", "P", found),
        date=found,
        day_first="W" in found or not a.isascii() or "\u200f" in s or bool(_LOWER_HALF.search(f"{u} {v}")),
        hours=hours,
        era=era(e) or era(t),
    )
    return _line(number, date), style


@lru_cache(maxsize=256)
def _hours(words: str) -> tuple[int, ...] | None:
    halves = [half_day(words, hour) for hour in range(13)]
    return None if halves[0] is None else tuple(hour % 12 + (half or 0) for hour, half in enumerate(halves))


class Evidence(OrderEvidence):
    """Which order of day and month the messages of a file are written in, by how their dates are written as well.

    Of the public exports whose order is sure and whose dates have slashes, all 75 with am and pm in lower case have the
    day first, and 180 of the 183 with a zero before a number below 10. (A clock of 24 hours tells nothing: 89 of the 91
    files with one and years of two digits, but no zeros, have the month first.) Buddhist and Islamic years are written
    by people who put the day first, if no word names the calendar.
    """

    day_first = False

    def see(self, stamp: Stamp) -> None:
        """Take the day of the next message into account."""
        a, b, c = stamp.a, stamp.b, stamp.c
        if years := stamp.style.era:
            a, c = (str(int(a) + years), c) if self.shape.startswith("E") else (a, str(int(c) + years))
        if not self.day_first:
            other_calendar = 57 <= int(c) <= 75 or 1380 <= int(c) <= 1500 or int(c) >= 2400
            named = _CALENDAR.search(self.shape) is not None
            self.day_first = "0" in (a[0], b[0]) or stamp.style.day_first or (other_calendar and not named)
        self.add(f"{a}/{b}/{c} 0:0")

    def guess(self) -> Order | None:
        guess = super().guess()
        likely = self.day_first and len(self._readings) > 1 and not self._readings["dmy"].backward
        return "dmy" if likely else guess
