"""How one export is written: its dates, its names, and which of its lines begin a message."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.archives import ExportPath
from selfchatbot.preprocessors.base import decoded_lines, same_name
from selfchatbot.preprocessors.dates import Order, OrderEvidence, half_day, shape, wall_clock
from selfchatbot.preprocessors.whatsapp.locales import EDITED, LONGEST, MINE, NOTICES, OMITTED, plain, titled

_MARKS = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
_DAY = r"(?P<a>\d{1,4})(?P<s>[^\d\n]{1,4})(?P<b>\d{1,2})(?P<t>[^\d\n]{1,4})(?P<c>\d{1,4})"
_CLOCK = r"(?P<h>\d{1,2})[:.](?P<m>\d{2})(?:[:.](?P<n>\d{2}))?"
_DATES = (rf"{_DAY}(?P<u>\D{{1,20}}?){_CLOCK}(?P<v>\D{{0,20}}?)", rf"{_CLOCK}(?P<v>\D{{0,12}}?)(?P<u>,? ){_DAY}")
# iOS; Android; iOS up to 2014.
_LINES = (r"\[{}\] ?(?:- )?(?P<rest>.*)", r"{}\s[-–—]\s(?P<rest>.*)", r"{}: (?P<rest>.*)")
_BRACKETS = 0
_PLAUSIBLE = re.compile(rf"{_MARKS}\[?{_MARKS}\d{{1,4}}\D")
_TAG = re.compile(r"<([^<>\n]{6,60})>$")
_QUOTES = '"“”„«»「」『』'
_TILDE = re.compile(r"\A~[\u202f\u00a0 ]?(?=.)")
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "}) | dict.fromkeys(map(ord, "\u200e\u200f\u2068\u2069\ufeff"))
_SPACES |= dict.fromkeys(range(0x202A, 0x202F))
OFTEN = 5
"""A phrase in angle brackets that ends so many messages is the app's, whatever its language."""
MOST_STYLES = 32
"""Of dates in one file. An export has one or two, and what people paste a few more."""
MOST_NAMES = 20_000
"""In one file. A group has some thousand members at most; more is no chat, and memory is not for it."""


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


@dataclass(slots=True)
class Layout:
    """What `scan` found out about one file."""

    path: ExportPath
    style: Style
    evidence: Evidence
    first: Stamp
    chat: str = ""
    order: Order | None = None
    names: Counter[str] = field(default_factory=Counter)
    """Who wrote how many messages, as the file writes the names."""
    colons: dict[str, list[str]] = field(default_factory=dict)
    """Names with ``: `` in them by what stands before it, the longest first."""
    marked: bool = False
    """Whether the app's own words begin with an invisible mark."""
    tags: frozenset[str] = frozenset()
    me: str | None = None
    group: bool | None = None
    others: int = 0
    """Lines with a date of another style."""

    @property
    def mark(self) -> str | None:
        return None if not self.marked else "\u200f" if self.style.right_to_left else "\u200e"

    @property
    def earliest(self) -> datetime:
        return (self.order and self.first.time(self.order)) or datetime.max

    def split(self, rest: str) -> tuple[str | None, str]:
        """Name and text of what follows a date; no name for words of the app."""
        name, colon, text = rest.partition(": ")
        if not colon:
            # An empty message loses its space when the file passes through an editor.
            return (rest[:-1], "") if rest.endswith(":") and rest[:-1] in self.names else (None, rest)
        for longer in self.colons.get(name, ()):
            if rest.startswith(longer + ": "):
                return longer, rest[len(longer) + 2 :]
        return (None, rest) if self.is_cut(name) else (name, text)

    def is_cut(self, name: str) -> bool:
        """Whether ``name`` ends within a quotation, as when somebody named a group ``Trip: 2020``."""
        return self.names[name] < 3 and sum(map(name.count, _QUOTES)) % 2 == 1


@lru_cache(maxsize=4096)
def clean(name: str) -> str:
    """A name without the tilde and the marks that WhatsApp writes around names and numbers it doesn't know."""
    name = name.translate(_SPACES).strip()
    return name if name.endswith("~") else _TILDE.sub("", name)


@dataclass(slots=True)
class _Seen:
    """What `scan` collects about the messages of one style."""

    layout: Layout
    messages: int = 0
    named: bool = False
    """Whether any of them has a name."""
    day: tuple[str, str] | None = None
    plain_names: set[str] = field(default_factory=set)
    """Names after which a text without ``: `` stood."""
    exact: set[str] = field(default_factory=set)
    """Names with ``: `` in them that a phrase of the app delimits."""
    mine: set[str] = field(default_factory=set)
    notice: str | None = None
    tags: Counter[str] = field(default_factory=Counter)

    def add(self, stamp: Stamp) -> None:
        self.messages += 1
        if (stamp.a, stamp.b) != self.day:
            self.day = (stamp.a, stamp.b)
            self.layout.evidence.see(stamp)
        rest = stamp.rest
        name, colon, text = rest.partition(": ")
        if not colon:
            return
        self.named = True
        marked = text.startswith(("\u200e", "\u200f"))
        if marked or text.endswith(">"):
            self._app(stamp, marked)
        if len(text) < LONGEST and plain(text) in MINE:
            self.mine.add(name)
        names = self.layout.names
        if not marked and (name in names or len(names) < MOST_NAMES):
            names[name] += 1
            if ": " not in text:
                self.plain_names.add(name)

    def _app(self, stamp: Stamp, marked: bool) -> None:
        """Words that the app wrote, or that it could have written."""
        name, _, text = stamp.rest.partition(": ")
        if stamp.style.line == _BRACKETS and (marked or "\u200e<" in text or "\u200f<" in text):
            self.layout.marked = True
            if self.notice is None and self.messages < 10 and plain(text).startswith(NOTICES):
                self.notice = name
        if match := _TAG.search(text):
            word = plain(match[1])
            if word not in EDITED and word not in OMITTED and (" " in word or not word.isascii()):
                self.tags[word] += len(self.tags) < MOST_NAMES
        for end in (": \u200e", ": \u200f", ": <"):
            before, found, after = stamp.rest.rpartition(end)
            if found and ": " in before and len(self.exact) < MOST_NAMES and (end != ": <" or plain(after) in OMITTED):
                self.exact.add(before)


def scan(path: ExportPath, known: Iterable[str] = ()) -> Layout:
    """Read a file once and find out how it is written; ``known`` are names that may hold ``: ``.

    Raises ExportError for what is no export of WhatsApp.
    """
    seen: dict[tuple[int, str], _Seen] = {}
    read = StampReader()
    empty = True
    for line in decoded_lines(path):
        empty = empty and not line
        stamp = read(line)
        if stamp is None:
            continue
        style = (stamp.style.line, stamp.style.shape)
        one = seen.get(style)
        if one is None:
            layout = Layout(path, stamp.style, Evidence(stamp.style.shape), stamp)
            one = seen[style] = _Seen(layout)
        one.add(stamp)
    if empty:
        raise ExportError(f"{path} is empty: export the chat again, or remove the file")
    if not any(one.named for one in seen.values()):
        raise ExportError(
            f'{path}: no message of WhatsApp in it, expected lines like "1/5/23, 3:04 PM - Name: text" or '
            f'"[05/01/2023, 15:04:12] Name: text": export the chat again, or remove the file'
        )
    chosen = max(seen.values(), key=lambda one: one.messages)
    _conclude(chosen, {*known})
    chosen.layout.others = sum(one.messages for one in seen.values()) - chosen.messages
    return chosen.layout


def _conclude(seen: _Seen, known: set[str]) -> None:
    """What the whole file tells about its names, its chat and the owner of the phone."""
    layout = seen.layout
    layout.chat = _chat(layout.path, seen.notice)
    for name in sorted(seen.exact | known | {layout.chat}, key=len, reverse=True):
        short, colon, _ = name.partition(": ")
        if colon and short not in seen.plain_names:
            layout.colons.setdefault(short, []).append(name)
    layout.tags = frozenset(tag for tag, count in seen.tags.items() if count >= OFTEN)
    names = {clean(name) for name in layout.names if not layout.is_cut(name)}
    if layout.colons:
        names -= {clean(short) for short in layout.colons}
        names |= {clean(name) for longer in layout.colons.values() for name in longer}
    others = {name for name in names if same_name(name, layout.chat)}
    if len(names) == 2 and len(others) == 1:
        layout.me, layout.group = (names - others).pop(), False
    elif len(names) > 2:
        layout.group = True
    if len(seen.mine) == 1:
        layout.me = clean(seen.mine.pop())


def _chat(path: ExportPath, notice: str | None) -> str:
    """The contact or group: as the file, its archive or its folder says, or the first line of an iPhone's export."""
    folder = PurePath(PurePath(str(path.parent)).name)
    outside = folder.stem if folder.suffix.lower() == ".zip" else folder.name
    if name := titled(path.stem) or titled(outside):
        return name
    if notice is not None:
        return clean(notice)
    return outside if path.stem.startswith("_chat") and outside.casefold() != "whatsapp" else path.stem
