"""Dates as chat apps write them: in the order, calendar, digits and words of somebody's country.

A date is first reduced to its *shape* (``1/5/2023 3:04 PM`` -> ``0/0/0000 0:0P``). All dates of one file share a shape;
which of its fields is the day and which the month is decided for the file as a whole, from the evidence in it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

Order = Literal["dmy", "mdy", "ymd"]

# Left-to-right and other marks say nothing; the spaces are those that ICU puts before AM and PM.
_INVISIBLE = {ord(mark): None for mark in "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_SPACES = {ord(space): " " for space in "\u00a0\u2009\u202f"}
_NORMALISE = _INVISIBLE | _SPACES
_AM = (
    *("a.m.", "a. m.", "am", "오전", "上午", "午前", "午夜", "凌晨", "早上", "清晨", "ص", "sa", "π.μ.", "πμ"),
    *("ق.ظ.", "ق.ظ", "म.पू.", "ਪੂ.ਦੁ.", "ಪೂರ್ವಾಹ್ನ", "pg", "öö", "fm", "ap.", "vm.", "de.", "dop."),
    *("in the morning", "da manhã"),
)
_PM = (
    *("p.m.", "p. m.", "pm", "오후", "下午", "午後", "中午", "傍晚", "晚上", "م", "ch", "μ.μ.", "μμ"),
    *("ب.ظ.", "ب.ظ", "म.उ.", "ਬਾ.ਦੁ.", "ಅಪರಾಹ್ನ", "ptg", "ös", "em", "ip.", "nm.", "du.", "odp."),
    *("in the afternoon", "in the evening", "at night", "da tarde", "da noite"),
)
_MERIDIEM = re.compile(
    rf"(?<![^\W\d])(?:({'|'.join(map(re.escape, _AM))})|({'|'.join(map(re.escape, _PM))}))(?![^\W\d])"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\b\.?")
_WEEKDAY = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b[.,]*\s*")
_NUMBER = re.compile(r"\d+")
# Words beside the numbers that locales write: bg "г.", ar "هـ", CJK units, "at", th "BE".
_FILLER = re.compile(r"[0MPQ]|هـ|[年月日時时分년월일]|\b(?:г|ч|at|kl|klo|h|u|um|à|às|o|ob|be)\b|[\W_]")
_FOREIGN = re.compile(r"\b(?:г|klo|à|às|um|be)\b|،")


def normalise(text: str) -> str:
    """``text`` in lower case without marks of writing direction and with plain spaces."""
    return text.translate(_NORMALISE).casefold().strip()


@lru_cache(maxsize=65536)
def shape(text: str) -> str | None:
    """The shape of a date with time, or None for what is no date with time at all.

    Numbers become ``0`` (``0000`` with four digits), English month names ``M``, plain AM and PM ``P``, those of
    other languages ``Q``; a number alone of 9 to 13 digits is a Unix time in seconds or milliseconds, ``U``.
    """
    text = normalise(text)
    if text.isdecimal():
        return "U" if 9 <= len(text) <= 13 else None
    text = _WEEKDAY.sub("", text)
    reduced = re.sub(r"\s*([PQ])\s*", r"\1", _MERIDIEM.sub(_meridiem_mark, text))
    reduced = _NUMBER.sub(lambda match: "0000" if len(match[0]) == 4 else "0", _MONTH.sub("M", reduced, count=1))
    numbers = len(_NUMBER.findall(reduced)) + reduced.count("M")
    if numbers not in (5, 6) or _FILLER.sub("", reduced):
        return None
    return reduced


def orders(date_shape: str) -> tuple[Order, ...]:
    """The orders of day, month and year that a shape can mean, the more usual first."""
    fields = re.findall(r"0000|0|M", date_shape)
    if fields[0] == "0000":
        return ("ymd",)
    if "M" in fields:
        return ("mdy",) if fields[0] == "M" else ("dmy",)
    # Only Chinese, Japanese and Korean put the half of the day first, and they put the year first as well.
    return ("ymd",) if fields[2] == "0" and re.match(r"0\D+0\D+0\D*Q", date_shape) else ("dmy", "mdy")


def half_day(text: str) -> int | None:
    """The hours to add for AM (0) or PM (12), as one of many languages writes them, and None where neither stands."""
    match = _MERIDIEM.search(normalise(text))
    return None if match is None else 12 if match[2] else 0


def _meridiem_mark(match: re.Match[str]) -> str:
    return "P" if match[0] in ("am", "pm") else "Q"


@lru_cache(maxsize=65536)
def parse(text: str, order: Order) -> datetime | None:
    """A date of a known order as naive wall-clock time (a Unix time as UTC), None when there is no such date.

    For the calendars see `wall_clock`.
    """
    text = normalise(text)
    if text.isdecimal():
        return _from_unix(int(text) / (1000 if len(text) > 10 else 1))
    text = _WEEKDAY.sub("", text)
    half = half_day(text)
    month = _MONTH.search(text)
    if month:
        text = f"{text[: month.start()]} {_MONTHS.index(month[1]) + 1} {text[month.end() :]}"
    numbers = [int(number) for number in _NUMBER.findall(text)]
    if len(numbers) not in (5, 6):
        return None
    fields = dict(zip(order, numbers, strict=False))
    hour, minute, second = (*numbers[3:], 0)[:3]
    if half is not None:
        if not 0 <= hour <= 12:
            return None
        hour = hour % 12 + half
    return wall_clock(fields["y"], fields["m"], fields["d"], hour, minute, second)


def wall_clock(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> datetime | None:
    """A date as naive wall-clock time, None when there is no such date.

    Years of two digits are 20xx; Buddhist years (Thai), Umm al-Qura years (Saudi Arabia, 1420 to 1500) and Persian ones
    (1380 to 1419) become Gregorian ones.
    """
    try:
        if 1380 <= year < 1420:
            gregorian = _from_persian(year, month, day)
            year, month, day = gregorian.year, gregorian.month, gregorian.day
        elif 1420 <= year <= 1500:
            from hijridate import Hijri

            hijri = Hijri(year, month, day).to_gregorian()
            year, month, day = hijri.year, hijri.month, hijri.day
        elif year >= 2400:
            year -= 543
        elif year < 100:
            year += 2000
        return datetime(year, month, day, hour, minute, second)
    except (ValueError, OverflowError):
        return None


def _from_persian(year: int, month: int, day: int) -> date:
    """A date of the Solar Hijri calendar, whose leap years repeat every 33 years in this and the last century."""
    leap = [past % 33 in (1, 5, 9, 13, 17, 22, 26, 30) for past in range(1380, year + 1)]
    length = 31 if month <= 6 else 30 if month <= 11 or leap[-1] else 29
    if not (1 <= month <= 12 and 1 <= day <= length):
        raise ValueError("no such day")
    before = min(month - 1, 6) * 31 + max(month - 7, 0) * 30
    # 1380 began on 21 March 2001.
    return date(2001, 3, 21) + timedelta(days=365 * (year - 1380) + sum(leap[:-1]) + before + day - 1)


def _from_unix(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(slots=True)
class _Reading:
    impossible: int = 0
    backward: int = 0
    forward: int = 0
    last: datetime | None = None

    @property
    def disorder(self) -> int:
        """Steps against the direction of the file, be it oldest or newest first."""
        return min(self.backward, self.forward)


class OrderEvidence:
    """Collects, date by date, which order of day and month a file of one shape is written in."""

    def __init__(self, date_shape: str) -> None:
        self.shape = date_shape
        self._readings: dict[Order, _Reading] = {order: _Reading() for order in orders(date_shape)}

    def add(self, text: str) -> None:
        """Take the next date of the file into account."""
        for order, reading in self._readings.items():
            time = parse(text, order)
            if time is None:
                reading.impossible += 1
                continue
            if reading.last is not None and time != reading.last:
                # An hour back in autumn is no evidence.
                if time < reading.last - timedelta(hours=1):
                    reading.backward += 1
                elif time > reading.last:
                    reading.forward += 1
            reading.last = time

    def decide(self) -> Order | None:
        """The order that the file proves: the other one has impossible dates, or jumps back and forth in time."""
        if len(self._readings) == 1:
            return next(iter(self._readings))
        one, other = self._readings
        for quality in ("impossible", "disorder", "backward"):
            first, second = getattr(self._readings[one], quality), getattr(self._readings[other], quality)
            # Ten times: a pasted log may hold a few dates of another order.
            if second > 10 * first:
                return one
            if first > 10 * second:
                return other
        return None

    def guess(self) -> Order | None:
        """The order that the shape alone makes likely.

        Day first with dots or hyphens and with words that English doesn't write there; month first with slashes and AM
        or PM.
        """
        if len(self._readings) == 1:
            return next(iter(self._readings))
        if re.match(r"0(?:\. ?0\.|-0-)", self.shape) or _FOREIGN.search(self.shape):
            return "dmy"
        return "mdy" if self.shape.startswith("0/") and self.shape.endswith("P") else None
