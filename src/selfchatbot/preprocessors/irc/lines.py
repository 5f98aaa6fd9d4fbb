r"""The lines of an IRC log, whichever client wrote it: when, and who said what or became whom.

Grammar: irssi's theme and ``autolog`` settings, WeeChat's logger plugin, mIRC's and ZNC's log files, the parsers of
PISG, ``text.ts`` of thelounge/thelounge, ``text.c`` and ``textevents.in`` of hexchat/hexchat. After the time::

    irssi    10:02 <@nick> text      10:03  * nick waves    10:01 -!- nick [user@host] has joined #chan
             --- Log opened Tue Jan 02 10:00:00 2024        --- Day changed Wed Jan 03 2024
    WeeChat  2024-01-02 10:01:02<TAB>@nick<TAB>text         " *", "-->", "<--", "--" in the place of a nick
    mIRC     [10:01] <@nick> text    [10:01] * nick waves   [10:01] * nick has joined #chan
             Session Start: Tue Jan 02 10:00:00 2024
    ZNC      [10:01:02] <nick> text  [10:01:02] * nick waves  [10:01:02] *** Joins: nick (user@host)
    Lounge   [2024-01-02T10:01:02.000Z] <nick> text, and for its further lines: [2024-01-02T10:01:02.000Z] | text
    HexChat  Jan 02 10:01:02 <nick><TAB>text   Jan 02 10:01:02 *<TAB>nick waves, and so it writes events
             **** BEGIN LOGGING AT Tue Jan  2 10:00:00 2024
"""

import codecs
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.reading.archives import shown
from selfchatbot.preprocessors.reading.dates import MONTHS
from selfchatbot.preprocessors.reading.lines import decoded_lines

TAB = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\t([^\t]*)\t(.*)")
CLOCK = re.compile(r"\[?(?:(\d{4}-\d\d-\d\d)[ T])?(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?(?:Z|[+-]\d{4})?\]? (.*)")
MONTH_CLOCK = re.compile(r"([^\W\d_]{2,6}\.?) ([ \d]\d) (\d\d):(\d\d):(\d\d) (.*)")
SAID = re.compile(r"<[ @+%&~!.]?([^\s<>]+)> ?(.*)")
ACTION = re.compile(r" ?\* ([^\s*:]+) (.*)")
DAY = re.compile(
    r"(?:--- |Session )(?P<what>Log opened|Log closed|Day changed|Start:|Time:|Close:) \S+ "
    r"(?P<month>\S+) +(?P<day>\d{1,2}) (?:\d\d:\d\d:\d\d )?(?P<year>\d{4})"
)
LOGGING = re.compile(
    r"\*{4} (?P<what>\S.{2,60}?) [A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) [\d:]{8} (?P<year>\d{4})"
)
BECAME = re.compile(r"(?:\* |\*\*\* |-!- |\t)?(\S+)(?: is|'re| are) now known as (\S+)")
CHANGED_NICK = re.compile(r"\*\*\* (\S+) changed nick to (\S+)")
MY_NICK = re.compile(r"\* Your nick is now (\S+)")
GONE = re.compile(r"(?:\* |\*\*\* |-!- |\t)?(?:Quits: )?(\S+) [\[(]\S+@\S+[\])](?: has quit| [Qq]uit|$| \()")
HAS_QUIT = re.compile(r"\* (\S+) has quit \(.*\)")
# In mIRC these begin like the actions of people.
EVENT = re.compile(
    r"\(\S+@\S+\) .*|has (?:joined|left) [#&+!]\S+.*|has quit IRC.*|is now known as \S+|sets mode: .*"
    r"|was kicked by \S+.*|changes topic to .*"
)
# In HexChat, in English.
HEXCHAT_EVENT = re.compile(
    r"\(\S+\) has (?:joined|left).*|has quit \(.*|has kicked \S+ from .*|has changed the topic to: .*|has offered '.*"
    r"|has requested to resume '.*|is already in use\. .*|(?:added to|deleted from) notify list\.|sets modes? .*"
    r"|(?:sets|removes) (?:ban|exempt|invite exempt|quiet) on .*|(?:sets|removes) channel (?:keyword|limit).*"
    r"|removes user limit|(?:gives|removes) (?:voice|channel (?:half-)?operator status) (?:to|from) .*"
)
ENGLISH = ("BEGIN LOGGING AT", "ENDING LOGGING AT")
# Bold, colour, hexadecimal colour, monospace, reverse, italic, strike-through, underline, reset.
FORMATTING = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04[0-9A-Fa-f]{6}|[\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f]")
PREFIXES = "@+%&~!"
# As strftime abbreviates them in the languages of irssi's and mIRC's users.
LOCAL_MONTHS = MONTHS | {
    name: number
    for names in (
        "jan feb mär apr mai jun jul aug sep okt nov dez",
        *(
            "janv févr mars avril mai juin juil août sept oct nov déc",
            "ene feb mar abr may jun jul ago sep oct nov dic",
        ),
        *("gen feb mar apr mag giu lug ago set ott nov dic", "jan fev mar abr mai jun jul ago set out nov dez"),
        *(
            "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
            "jan feb mrt apr mei jun jul aug sep okt nov dec",
        ),
        *("jan feb mar apr maj jun jul aug sep okt nov dec", "sty lut mar kwi maj cze lip sie wrz paź lis gru"),
        *("янв фев мар апр мая июн июл авг сен окт ноя дек", "jan feb mar apr mai jun jul aug sep okt nov des"),
        "oca şub mar nis may haz tem ağu eyl eki kas ara",
    )
    for number, name in enumerate(names.split(), 1)
}
BACK = timedelta(hours=12)
"""A clock that goes back so far has passed midnight."""


class Said(NamedTuple):
    """Words of somebody. ``text`` is as typed: an action begins with ``/me``."""

    time: datetime
    nick: str
    text: str
    action: bool = False
    doubtful: bool = False
    """Whether it may be mIRC's own line about somebody, as its lines begin like actions."""


class Became(NamedTuple):
    """A change of nick; the first nick is empty where it was mine."""

    old: str
    new: str


class Gone(NamedTuple):
    """Somebody who has quit, or everybody (no nick) when the log was closed."""

    nick: str


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """What is not UTF-8 in a log is nearly always this, as in the clients themselves."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("selfchatbot.windows1252", _as_windows_1252)


def people(path: ExportPath) -> Iterator[str | Became | None]:
    """Line by line, who says something, and changes of my nick; None for everything else in a log.

    It is faster than `events`. Raises ExportError for what can't be read.
    """
    for line in decoded_lines(path, errors="selfchatbot.windows1252"):
        if match := TAB.fullmatch(line):
            nick, text = match[2].lstrip(PREFIXES), match[3]
            if nick and nick[0] not in "-=< *":
                yield nick
                continue
        elif match := CLOCK.fullmatch(line):
            text = match[5]
            if said := SAID.match(text):
                yield said[1]
                continue
        elif match := MONTH_CLOCK.fullmatch(line):
            text = match[6].replace("\t", " ", 1)
            if said := SAID.match(text):
                yield said[1]
                continue
        elif DAY.fullmatch(line) or LOGGING.fullmatch(line):
            text = ""
        else:
            continue
        changed = _became(text)
        yield changed if changed is not None and changed.old == "" else None


def events(path: ExportPath, day: datetime | None) -> Iterator[Said | Became | Gone | None]:
    """What a log holds, line by line; None for a line of a log that says nothing.

    ``day`` is the midnight before the first lines, None where the log has to tell it: what comes before is left out.

    Raises ExportError for what can't be read and for a day whose month is unknown.
    """
    last: datetime | None = None
    said: Said | Became | Gone | None = None
    english = False
    for number, line in enumerate(decoded_lines(path, errors="selfchatbot.windows1252"), 1):
        if match := TAB.fullmatch(line):
            stamp, prefix, text = match.groups()
            if (moment := _moment(stamp)) is not None:
                yield _of_tab(moment, prefix, text if text.isprintable() else FORMATTING.sub("", text))
        elif match := CLOCK.fullmatch(line):
            stated, hour, minute, second, rest = match.groups()
            if stated is not None:
                day = _moment(stated)
            if day is None or (clock := _clock(hour, minute, second)) is None:
                yield None
                continue
            moment = day + clock
            if stated is None and last is not None and last - moment > BACK:
                day += timedelta(days=1)
                moment += timedelta(days=1)
            last = moment
            rest = rest if rest.isprintable() else FORMATTING.sub("", rest)
            if rest.startswith("| ") and isinstance(said, Said) and said.time == moment:
                yield said._replace(text=rest[2:], action=False)
                continue
            said = _of_clock(moment, rest)
            yield said
        elif match := MONTH_CLOCK.fullmatch(line):
            name, date, hour, minute, second, rest = match.groups()
            month = LOCAL_MONTHS.get(name.casefold().rstrip("."))
            if day is None or month is None or (clock := _clock(hour, minute, second)) is None:
                yield None
                continue
            # The year is that in which logging began, or the next one.
            day = _moment(f"{day.year + (month < day.month)}-{month:02}-{int(date):02}") or day
            rest = rest.replace("\t", " ", 1)
            yield _of_hexchat(day + clock, rest if rest.isprintable() else FORMATTING.sub("", rest), english)
        elif match := DAY.fullmatch(line) or LOGGING.fullmatch(line):
            month = LOCAL_MONTHS.get(match["month"].casefold().rstrip("."))
            if month is None:
                raise ExportError(
                    f'{path}, line {number:,}: "{shown(match["month"])}" is no month that is known here: write it in '
                    "English, as in Mar"
                )
            # The next lines have times of this day, whatever came before.
            day, last = _moment(f"{match['year']}-{month:02}-{int(match['day']):02}") or day, None
            english = match["what"] in ENGLISH
            yield Gone("") if match["what"] in ("Log opened", "Start:", ENGLISH[0]) else None


def _of_tab(moment: datetime, prefix: str, text: str) -> Said | Became | Gone | None:
    """A line of WeeChat."""
    if prefix.strip() == "*":
        nick, _, action = text.partition(" ")
        # The sign of an operator stands here as well.
        return Said(moment, nick.lstrip(PREFIXES) or nick, f"/me {action}", action=True)
    if prefix == "--":
        return _became(text)
    if prefix == "<--":
        return _gone(text)
    nick = prefix.lstrip(PREFIXES)
    return Said(moment, nick, text) if nick and nick[0] not in "-=< " else None


def _of_clock(moment: datetime, rest: str) -> Said | Became | Gone | None:
    """What follows the time in irssi, mIRC and ZNC."""
    if match := SAID.fullmatch(rest):
        return Said(moment, match[1], match[2])
    if changed := _became(rest) or _gone(rest):
        return changed
    if (match := ACTION.fullmatch(rest)) and not EVENT.fullmatch(match[2]):
        nick = match[1].lstrip(PREFIXES) or match[1]
        return Said(moment, nick, f"/me {match[2]}", action=True, doubtful=not rest.startswith(" "))
    return None


def _of_hexchat(moment: datetime, rest: str, english: bool) -> Said | Became | Gone | None:
    """What follows the time in HexChat. Its events, in many languages, look like the actions of people."""
    if match := SAID.fullmatch(rest):
        return Said(moment, match[1], match[2])
    if not english:
        return None
    if match := HAS_QUIT.fullmatch(rest):
        return Gone(match[1])
    match = ACTION.fullmatch(rest)
    found = None if match and HEXCHAT_EVENT.fullmatch(match[2]) else _of_clock(moment, rest)
    return found._replace(doubtful=True) if isinstance(found, Said) else found


def _became(text: str) -> Became | None:
    if match := BECAME.fullmatch(text):
        return Became("" if match[1].casefold() == "you" else match[1], match[2])
    if match := CHANGED_NICK.fullmatch(text):
        return Became(match[1], match[2])
    match = MY_NICK.fullmatch(text)
    return Became("", match[1]) if match else None


def _gone(text: str) -> Gone | None:
    match = GONE.match(text)
    return Gone(match[1]) if match else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _clock(hour: str, minute: str, second: str | None) -> timedelta | None:
    """What has passed of the day, None for what is no time."""
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
