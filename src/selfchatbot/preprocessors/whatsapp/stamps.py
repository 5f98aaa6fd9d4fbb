"""The beginnings of messages: date and time, as the phone's country writes them, and what follows."""

import re
from datetime import datetime
from typing import NamedTuple

from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, half_day, shape, wall_clock

_MARKS = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
_DAY = r"(?P<a>\d{1,4})(?P<s>[^\d\n]{1,4})(?P<b>\d{1,2})(?P<t>[^\d\n]{1,4})(?P<c>\d{1,4})"
_CLOCK = r"(?P<h>\d{1,2})[:.](?P<m>\d{2})(?:[:.](?P<n>\d{2}))?"
_DATES = (rf"{_DAY}(?P<u>\D{{1,20}}?){_CLOCK}(?P<v>\D{{0,20}}?)", rf"{_CLOCK}(?P<v>\D{{0,12}}?)(?P<u>,? ){_DAY}")
# iOS; Android; iOS up to 2014.
_LINES = (r"\[{}\] ?(?:- )?(?P<rest>.*)", r"{}\s[-–—]\s(?P<rest>.*)", r"{}: (?P<rest>.*)")
BRACKETS = 0
_PLAUSIBLE = re.compile(rf"{_MARKS}\[?{_MARKS}\d{{1,4}}\D")
MOST_STYLES = 32
"""Of dates in one file. An export has one or two, and what people paste a few more."""


class Style(NamedTuple):
    """How a date is written. All dates of a file have the same ``line`` and ``shape``."""

    line: int
    shape: str
    half: int | None
    """Hours to add for AM and PM, None where neither is written."""
    right_to_left: bool


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
        hour, half = int(self.hour), self.style.half
        if half is not None:
            if hour > 12:
                return None
            hour = hour % 12 + half
        a, b, c = int(self.a), int(self.b), int(self.c)
        year, month, day = (c, b, a) if order == "dmy" else (c, a, b) if order == "mdy" else (a, b, c)
        return wall_clock(year, month, day, hour, int(self.minute), int(self.second or 0))


class StampReader:
    """Reads the beginnings of messages. For each style that it meets it makes a pattern, which is fast."""

    def __init__(self) -> None:
        self._known: list[tuple[re.Pattern[str], Style]] = []

    def __call__(self, line: str) -> Stamp | None:
        for pattern, style in self._known:
            if match := pattern.fullmatch(line):
                return Stamp(style, *match.group("lead", "a", "b", "c", "h", "m", "n", "rest"))
        if not _PLAUSIBLE.match(line) or len(self._known) >= MOST_STYLES:
            return None
        for number, pattern in enumerate(_ANY):
            if (match := pattern.fullmatch(line)) and (known := _style(number, match)):
                self._known.append(known)
                return Stamp(known[1], *match.group("lead", "a", "b", "c", "h", "m", "n", "rest"))
        return None


def _line(number: int, date: str) -> re.Pattern[str]:
    return re.compile(f"(?P<lead>{_MARKS}){_LINES[number % 3].format(_MARKS + date)}", re.DOTALL)


_ANY = tuple(_line(number, _DATES[number // 3]) for number in range(6))


def _style(number: int, match: re.Match[str]) -> tuple[re.Pattern[str], Style] | None:
    """The style of a line that begins with a date, and the pattern of all lines like it."""
    s, t, u, v = match.group("s", "t", "u", "v")
    a, b, c, h, m, n = match.group("a", "b", "c", "h", "m", "n")
    second = "" if n is None else f":{n}"
    found = shape(f"{a}{s}{b}{t}{c}{u}{h}:{m}{second}{v}")
    if found is None:
        return None
    digits = [r"\d{4}" if len(part) == 4 else r"\d{1,2}" for part in (a, c)]
    day = rf"(?P<a>{digits[0]}){re.escape(s)}(?P<b>\d{{1,2}}){re.escape(t)}(?P<c>{digits[1]})"
    clock = r"(?P<h>\d{1,2})[:.](?P<m>\d{2})" + (r"[:.](?P<n>\d{2})" if second else r"(?P<n>)") + re.escape(v)
    date = f"{day}{re.escape(u)}{clock}" if number < 3 else f"{clock}{re.escape(u)}{day}"
    return _line(number, date), Style(number % 3, found, half_day(f"{u} {v}"), "\u200f" in match["lead"])


class Evidence(OrderEvidence):
    """Of the countries with AM and PM, only those that put the month first write it without a zero."""

    padded = False

    def see(self, stamp: Stamp) -> None:
        """Take the day of the next message into account."""
        self.padded = self.padded or "0" in (stamp.a[0], stamp.b[0])
        self.add(f"{stamp.a}/{stamp.b}/{stamp.c} 0:0")

    def guess(self) -> Order | None:
        guess = super().guess()
        return "dmy" if guess == "mdy" and self.padded and not self._readings["dmy"].backward else guess
