"""What dates look like, and what times they mean."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from selfchatbot.preprocessors.reading.dates.periods import PERIOD, hours_to_add, period_mark

Order = Literal["dmy", "mdy", "ymd"]

# Left-to-right and other marks say nothing; the spaces are those that ICU puts before AM and PM.
_INVISIBLE = {ord(mark): None for mark in "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_SPACES = {ord(space): " " for space in "\u00a0\u2009\u202f"}
_NORMALISE = _INVISIBLE | _SPACES
_DIGITS = {ord(digit): "0" for digit in "0123456789"}
ERAS = {
    "m": 1867,
    "t": 1911,
    "s": 1925,
    "h": 1988,
    "r": 2018,
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "民國": 1911,
    "民国": 1911,
}
"""Years before the first one of a Japanese era or of the Republic of China, by what is written before its years."""
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
"""English abbreviations in lower case."""
_MONTH = re.compile(rf"\b({'|'.join(MONTHS)})[a-z]*\b\.?")
_WEEKDAY = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b[.,]*\s*")
# ISO 8601: fractions of a second and the zone say nothing that a wall clock shows.
_ISO = re.compile(r"(\d)t(\d+:\d+)(?:(:\d+)(?:\.\d+)?)?(?:z|[+-]\d+:?\d*)?")
_NUMBER = re.compile(r"\d+")
# Before the first number or the third one.
_ERA = re.compile(rf"^((?:\d{{1,2}}[./ -]+){{2}})?({'|'.join(ERAS)})(?=\d)")
# Words beside the numbers that locales write: bg "г." and "ч.", th "น.", CJK units, "at", "h", "min", the names of
# calendars (ar "هـ", th "BE", "AH", "AP").
_FILLER = re.compile(
    r"[0EMPQW]|هـ|[年月日時时分秒点點년월일시분초]|น\.|\b(?:г|ч|at|kl|klo|u|um|à|às|o|ob|be|ah|ap)\b"
    r"|(?<![^\W\d])(?:h|min|s)(?![^\W\d])|[\W_]"
)
LONGEST = 80
"""Characters; a longer text is no date."""


def normalise(text: str) -> str:
    """``text`` in lower case without marks of writing direction and with plain spaces."""
    return text.translate(_NORMALISE).casefold().strip()


def shape(text: str) -> str | None:
    """The shape of a date with time, or None for what is no date with time at all.

    Numbers become ``0`` (``0000`` with four digits), English month names ``M``, plain AM and PM ``P``, East Asian words
    for them ``Q`` and those of other languages ``W``, the name of an era ``E``; a number alone of 9 to 13 digits is a
    Unix time in seconds or milliseconds, ``U``.
    """
    return _shape(text.translate(_DIGITS)) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def _shape(mask: str) -> str | None:
    """See `shape`; ``mask`` is a date with zeros for digits, so that a file holds few different ones."""
    text = normalise(mask)
    if text.isdecimal():
        return "U" if 9 <= len(text) <= 13 else None
    text = _WEEKDAY.sub("", _ISO.sub(r"\1 \2\3", text))
    text = _ERA.sub(lambda match: f"{match[1] or ''}E", text)
    reduced = re.sub(r"\s*([PQW])\s*", r"\1", PERIOD.sub(lambda match: period_mark(match[0]), text))
    reduced = _MONTH.sub("M", reduced, count=1)
    lengths = [len(number) for number in _NUMBER.findall(reduced)]
    reduced = _NUMBER.sub(lambda match: "0000" if len(match[0]) == 4 else "0", reduced)
    fields = len(lengths) + reduced.count("M")
    usual = {1, 2, 3} if "E" in reduced else {1, 2, 4}
    if fields not in (5, 6) or not usual.issuperset(lengths) or _FILLER.sub("", reduced):
        return None
    return reduced


def orders(date_shape: str) -> tuple[Order, ...]:
    """The orders of day, month and year that a shape can mean, the more usual first."""
    fields = re.findall(r"0000|E?0|M", date_shape)
    if not fields or fields[0] in ("0000", "E0"):
        return ("ymd",)
    if "M" in fields:
        return ("mdy",) if fields[0] == "M" else ("dmy",)
    if "0000" in fields or "E0" in fields:
        return ("dmy", "mdy")
    # Only Chinese, Japanese and Korean put the half of the day first; but for Hong Kong and Singapore they put the year
    # first as well. Elsewhere a year of two digits stands first in few places: Basque 23/1/5.
    return ("ymd", "dmy", "mdy") if re.match(r"0\D+0\D+0\D*Q", date_shape) else ("dmy", "mdy", "ymd")


def half_day(text: str, hour: int = 1) -> int | None:
    """The hours to add to ``hour``, which counts to 12, for the word in ``text`` that says which half of the day it is.

    0 or 12, and None where there is no such word, in any of many languages. The hour matters for words like "at night".
    """
    match = PERIOD.search(normalise(text))
    return None if match is None else hours_to_add(match[0], hour % 12)


def era(text: str) -> int:
    """The years to add to one that ``text`` stands before: 2018 for ``R`` and 令和, 0 where it names no era."""
    return ERAS.get(normalise(text).strip("/.- "), 0)


class _Plan(NamedTuple):
    """Where the numbers of a date stand in it."""

    year: slice
    month: slice | int
    """A number, where the month has a name."""
    day: slice
    hour: slice
    minute: slice
    second: slice | None
    period: str
    """The word for the half of the day, beside an hour that counts to 12; empty where there is none."""
    era: int
    """Years to be added."""


@lru_cache(maxsize=4096)
def _plan(mask: str, order: Order) -> _Plan | None:
    """How dates that are alike but for their digits are read; see `_shape` for ``mask``."""
    text = _WEEKDAY.sub("", _ISO.sub(r"\1 \2\3", normalise(mask)))
    era_name = _ERA.match(text)
    month = _MONTH.search(text)
    numbers = len(_NUMBER.findall(text)) + (month is not None)
    if numbers not in (5, 6):
        return None
    places: list[slice | int] = [slice(*match.span()) for match in _NUMBER.finditer(mask)]
    if month is not None:
        before = len(_NUMBER.findall(text[: month.start()]))
        if before != order.index("m"):
            return None
        places.insert(before, MONTHS[month[1]])
    year, month_place, day = (places[position] for position in map(order.index, "ymd"))
    hour, minute, second = (*places[3:], None)[:3]
    if isinstance(year, int) or isinstance(day, int) or not (isinstance(hour, slice) and isinstance(minute, slice)):
        return None
    # Behind the minutes of ISO 8601 a zone may follow instead of seconds.
    if not isinstance(second, slice) or numbers == 5:
        second = None
    period = PERIOD.search(text)
    return _Plan(
        year,
        month_place,
        day,
        hour,
        minute,
        second,
        "" if period is None else period[0],
        0 if era_name is None else ERAS[era_name[2]],
    )


@lru_cache(maxsize=4096)
def parse(text: str, order: Order) -> datetime | None:
    """A date of a known order as naive wall-clock time (a Unix time as UTC), None when there is no such date.

    For the calendars see `wall_clock`.
    """
    if len(text) > LONGEST:
        return None
    plan = _plan(text.translate(_DIGITS), order)
    if plan is None:
        return _from_unix(normalise(text))
    year, month, day, hour, minute, second, period, era_years = plan
    hours = int(text[hour])
    if period:
        if hours > 12:
            return None
        hours = hours % 12 + hours_to_add(period, hours % 12)
    return wall_clock(
        int(text[year]) + era_years,
        month if isinstance(month, int) else int(text[month]),
        int(text[day]),
        hours,
        int(text[minute]),
        int(text[second]) if second else 0,
    )


def wall_clock(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> datetime | None:
    """A date as naive wall-clock time, None when there is no such date.

    Buddhist years (Thai), Umm al-Qura years (Saudi Arabia, 1420 to 1500) and Persian ones (1380 to 1419) become
    Gregorian ones. Years of two digits are those of the calendar in which they are neither long past nor to come.
    """
    if year < 100:
        year += 2000 if year < 40 else 1400 if year <= 50 else 2500 if year <= 75 else 1900
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


def _from_unix(text: str) -> datetime | None:
    if not text.isdecimal():
        return None
    seconds = int(text) / (1000 if len(text) > 10 else 1)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None
