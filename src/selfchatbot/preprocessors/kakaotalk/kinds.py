"""The ways in which KakaoTalk writes messages and days, and their dates."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from selfchatbot.preprocessors.reading.dates import MONTHS, half_day, wall_clock
from selfchatbot.preprocessors.reading.unique_names import visible

ENOUGH = 50
"""Messages that show how a file is written."""

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
            return visible(match["who"]), match["rest"] or ""
        author, colon, text = match["rest"].partition(" : ")
        # iOS puts a colon behind the time where the app itself writes.
        return (visible(author), text) if colon and match["mark"] == "," else ("", match["rest"])


KINDS = (
    Kind(re.compile(rf"{_NUMBERS}{_AT}(?P<mark>[,:]) (?P<rest>.*)"), re.compile(rf"{_NUMBERS}(?: {_WORD}|{_AT})")),
    Kind(
        re.compile(rf"{_ENGLISH}{_AT}(?P<mark>[,:]) (?P<rest>.*)"), re.compile(rf"(?:{_WORD}, )?{_ENGLISH}(?:{_AT})?")
    ),
    Kind(re.compile(rf"{_CLOCK}(?P<mark>[,:]) (?P<rest>.*)"), re.compile(rf"{_NUMBERS} {_WORD}")),
    Kind(re.compile(rf"{_CLOCK}(?P<mark>[,:]) (?P<rest>.*)"), re.compile(rf"{_WORD}, {_ENGLISH}")),
    *(
        Kind(
            re.compile(rf"\[(?P<who>.*?)\] \[{_CLOCK}\](?: (?P<rest>.*))?"),
            re.compile(rf"-{{5,}} (?:{_WORD}, )?{date}(?: {_WORD})? -{{5,}}"),
            brackets=True,
        )
        for date in (_NUMBERS, _ENGLISH)
    ),
)
LOOKS_LIKE_ONE = re.compile(
    r"\[[^\[\]]{1,60}\] \[[^\[\]]{0,12}\d{1,2}[:.]\d\d[^\[\]]{0,8}\]|-{5,} [^-]*\d{4}[^-]* -{5,}\Z"
    r"|[^\d\n]{0,12}\d{1,4}[년年,./-][^\n:]{2,30}\d{1,2}:\d\d[^:\n]{0,8}, [^\n:]{1,60} : "
)
"""How a message or a day begins in any kind of file, whatever its date and time look like."""


def kind_of(lines: Iterator[str] | list[str]) -> Kind | None:
    """How most of the first messages are written: in the way that also has the lines for days which stand between."""
    messages: Counter[int] = Counter()
    days: Counter[int] = Counter()
    for line in lines:
        for number, kind in enumerate(KINDS):
            match = kind.message.fullmatch(line)
            if match and (kind.brackets or (match["mark"] == "," and " : " in match["rest"])):
                messages[number] += 1
            elif kind.day.fullmatch(line):
                days[number] += 1
        if messages and messages.most_common(1)[0][1] >= ENOUGH:
            break
    # Without a date in each message there must be lines for days.
    possible = [number for number in messages if number < 2 or days[number]]
    return KINDS[max(possible, key=lambda number: (messages[number], days[number]))] if possible else None


def date_of(match: re.Match[str]) -> tuple[int, int, int]:
    """Year, month and day, with 0 for a word that is no month."""
    if "name" not in match.re.groupindex:
        year, month, day = match.group("year", "month", "day")
        return int(year), int(month), int(day)
    year, name, day, behind = match.group("year", "name", "day", "day_")
    return int(year), MONTHS.get(name[:3].lower(), 0), int(day or behind or 0)


_half_day = lru_cache(maxsize=256)(half_day)


def time_of(match: re.Match[str], day: tuple[int, int, int] | None) -> datetime | None:
    """The time of a message, on the day of its own or else on ``day``; None where it can't be one."""
    year, month, number = date_of(match) if "year" in match.re.groupindex else day or (0, 0, 0)
    before, clock, minute, behind = match.group("half", "hour", "minute", "end")
    hour = int(clock)
    if before is not None or behind is not None:
        half = _half_day(before or behind)
        if half is None or hour > 12:
            return None
        hour = hour % 12 + half
    return wall_clock(year, month, number, hour, int(minute)) if month else None
