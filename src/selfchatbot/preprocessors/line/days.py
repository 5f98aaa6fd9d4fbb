"""The lines that begin a day, in the languages of LINE."""

import re
from datetime import datetime
from typing import NamedTuple

from selfchatbot.preprocessors.reading.dates import Order, wall_clock

DAY = re.compile(
    r"(?:(?P<before>[^\d,\t]{1,20}?)\.?,? )?(?P<a>\d{1,4})[./年년-] ?(?P<b>\d{1,2})[./月월-] ?(?P<c>\d{1,4})"
    r"(?:[.日일]? ?[(（]?(?P<after>[^\d\t()（）]{1,20})[)）]?)?"
)
LOOKS_LIKE_A_DAY = re.compile(r"(?=[^\t\n]{6,40}\Z)(?=.*?(?<!\d)(?:19|20|25)\d\d(?!\d))(?=.*?(?<!\d)\d{1,2}(?!\d)).+")
"""A short line with a year and another number, as the day of a language may be that is not known here."""
TIME = re.compile(
    r"(?P<half>\D{0,5}?)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<end> ?[AaPp]\.?[Mm]\.?)?(?P<gap>[\t ])(?P<rest>.*)"
)
# From Monday on, where the year doesn't come first: English, Thai, Indonesian, Spanish, French, German, Italian,
# Portuguese.
_SHORT = (
    *("mon tue wed thu fri sat sun", "จ อ พ พฤ ศ ส อา", "sen sel rab kam jum sab min", "lun mar mié jue vie sáb dom"),
    *("lun mar mer jeu ven sam dim", "mo di mi do fr sa so", "lun mar mer gio ven sab dom"),
    "seg ter qua qui sex sáb dom",
)
_LONG = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "วันจันทร์ วันอังคาร วันพุธ วันพฤหัสบดี วันศุกร์ วันเสาร์ วันอาทิตย์",
    "senin selasa rabu kamis jumat sabtu minggu",
    "lunes martes miércoles jueves viernes sábado domingo",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "понедельник вторник среда четверг пятница суббота воскресенье",
    "pazartesi salı çarşamba perşembe cuma cumartesi pazar",
    *("월 화 수 목 금 토 일", "월요일 화요일 수요일 목요일 금요일 토요일 일요일"),
    *("月 火 水 木 金 土 日", "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日"),
    *(f"{week}一 {week}二 {week}三 {week}四 {week}五 {week}六 {week}日" for week in ("", "周", "週", "星期", "禮拜")),
)
WEEKDAYS = {word: number for week in _SHORT for number, word in enumerate(week.split())}
"""The days of the week where the weekday has to tell which of day and month comes first."""
_KNOWN = frozenset(word for week in (*_SHORT, *_LONG) for word in week.split())
BUDDHIST = 2400
"""Such a year counts from Buddha's death, as in Thailand, where the day comes first."""


class Day(NamedTuple):
    """A line that begins a day: its numbers in the order of the file, and the weekday as the file writes it."""

    a: int
    b: int
    c: int
    weekday: str

    @property
    def is_known(self) -> bool:
        """Whether its weekday is one of a known language."""
        return self.weekday.rstrip(".").casefold() in _KNOWN

    def date(self, order: Order) -> datetime | None:
        """The midnight it begins at, None when there is no such day."""
        a, b, c = self.a, self.b, self.c
        year, month, day = (c, b, a) if order == "dmy" else (c, a, b) if order == "mdy" else (a, b, c)
        return wall_clock(year, month, day, 0, 0)


def day_of(line: str, following: str | None = None) -> Day | None:
    """``line`` as the begin of a day: a year of four digits, and a weekday before or behind the date.

    With a word for the weekday that is not known, only before a line with a time: people write dates, too.
    """
    if len(line) > 60 or (match := DAY.fullmatch(line)) is None:
        return None
    if (match["before"] is None) == (match["after"] is None):
        return None
    if (len(match["a"]) == 4) == (len(match["c"]) == 4):
        return None
    day = Day(int(match["a"]), int(match["b"]), int(match["c"]), (match["before"] or match["after"]).strip())
    return day if day.is_known or (following is not None and TIME.fullmatch(following)) else None
