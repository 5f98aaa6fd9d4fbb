"""How one export is written: its dates, its names, its chat and the owner of the phone."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePath

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath, same_name
from selfchatbot.preprocessors.reading.dates import Order
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.whatsapp.content import MARKS
from selfchatbot.preprocessors.whatsapp.locales import (
    DAY_FIRST,
    LONGEST,
    MINE,
    MINE_HEADS,
    OMITTED,
    head,
    is_edited,
    is_encryption_notice,
    is_notice,
    is_written,
    plain,
    titled,
)
from selfchatbot.preprocessors.whatsapp.stamps import DASH, Evidence, Stamp, StampReader, Style

MARKED_TAG = re.compile("[\u200e\u200f]<|<[\u200e\u200f]")
"""What an iPhone's app adds to a message."""
_TAG = re.compile(r"<[\u200e\u200f]?([^<>\n]{6,60})>$")
_BEFORE_MARKS = frozenset((" ", *MARKS))
_QUOTES = '"“”„«»「」『』'
_TILDE = re.compile(r"\A~[\u202f\u00a0 ]?(?=.)")
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "}) | dict.fromkeys(map(ord, "\u061c\u200e\u200f\ufeff"))
_SPACES |= dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# What a contact's name can hold and the name of a file can't.
_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
OFTEN = 5
"""A phrase in angle brackets that ends so many messages is the app's, whatever its language."""
MOST_NAMES = 20_000
"""In one file. A group has some thousand members at most; more is no chat, and memory is not for it."""
LONGEST_NAME = 100
FEWEST_IN_GROUP = 3
"""Messages that all go on alike after the first colon show that it is part of the name; in a chat of two, two do."""


@dataclass(slots=True)
class Layout:
    """What `scan` found out about one file."""

    path: ExportPath
    style: Style
    evidence: Evidence
    first: Stamp
    last: Stamp
    chat: str = ""
    order: Order | None = None
    names: Counter[str] = field(default_factory=Counter)
    """Who wrote how many messages, as the file writes the names."""
    colons: dict[str, list[str]] = field(default_factory=dict)
    """Names with ``: `` in them by what stands before it, the longest first."""
    whole: frozenset[str] = frozenset()
    """Names for which the first colon is the end, without exception."""
    notices: frozenset[str] = frozenset()
    """What stands before a colon in lines that the app wrote."""
    marks: tuple[str, ...] = ()
    """The invisible marks that the app's own words begin with."""
    edited: bool = False
    """Whether a message says that it was edited."""
    tags: frozenset[str] = frozenset()
    me: str | None = None
    group: bool | None = None
    notes: list[str] = field(default_factory=list)
    """What the user should know."""

    @property
    def earliest(self) -> datetime:
        return (self.order and self.first.time(self.order)) or datetime.max

    @property
    def latest(self) -> datetime:
        return (self.order and self.last.time(self.order)) or datetime.min

    def split(self, rest: str) -> tuple[str | None, str]:
        """Name and text of what follows a date; no name for words of the app."""
        name, colon, text = rest.partition(": ")
        if name in self.whole and colon:
            return name, text
        if not colon:
            # An empty message loses its space when the file passes through an editor.
            return (rest[:-1], "") if rest.endswith(":") and rest[:-1] in self.names else (None, rest)
        for longer in self.colons.get(name, ()):
            if rest.startswith(longer):
                # Else the app says something about a contact with such a name.
                return (longer, rest[len(longer) + 2 :]) if rest.startswith(": ", len(longer)) else (None, rest)
        return (None, rest) if name in self.notices or self.is_cut(name) else (name, text)

    def is_cut(self, name: str) -> bool:
        """Whether ``name`` ends within a quotation, as when somebody named a group ``Trip: 2020``."""
        return self.names[name] < 3 and sum(map(name.count, _QUOTES)) % 2 == 1


@lru_cache(maxsize=4096)
def clean(name: str) -> str:
    """A name without the tilde and the marks that WhatsApp writes around names and numbers it doesn't know."""
    name = name.translate(_SPACES).strip()
    return name if name.endswith("~") else _TILDE.sub("", name) or "?"


@dataclass(slots=True)
class _Seen:
    """What `scan` collects about the messages of one style."""

    layout: Layout
    last: Stamp
    messages: int = 0
    named: bool = False
    """Whether any of them has a name."""
    day: tuple[str, str] | None = None
    plain_names: set[str] = field(default_factory=set)
    """Names after which the texts begin differently, so that they are whole."""
    alike: dict[str, list[str]] = field(default_factory=dict)
    """What all texts of the others begin with: parts that end in ``: ``."""
    exact: set[str] = field(default_factory=set)
    """Names with ``: `` in them that a phrase of the app delimits."""
    mine: set[tuple[str, bool]] = field(default_factory=set)
    """Names beside the words for what the owner of the phone deleted, and whether a mark stood before these."""
    notice: str | None = None
    marks: set[str] = field(default_factory=set)
    tags: Counter[str] = field(default_factory=Counter)

    def add(self, stamp: Stamp) -> None:
        self.messages += 1
        self.last = stamp
        if (stamp.a, stamp.b) != self.day:
            self.day = (stamp.a, stamp.b)
            self.layout.evidence.see(stamp)
        rest = stamp.rest
        name, colon, text = rest.partition(": ")
        if not colon:
            return
        self.named = True
        marked = text[:1] in _BEFORE_MARKS and text.lstrip(" ").startswith(MARKS)
        if marked or text.endswith(">"):
            self._app(stamp, marked)
        if (marked or head(text) in MINE_HEADS) and plain(text[:LONGEST]) in MINE:
            self.mine.add((name, marked))
        names = self.layout.names
        # Android puts a mark before the names of attached files as well.
        if (not marked or stamp.style.line == DASH) and (name in names or len(names) < MOST_NAMES):
            names[name] += 1
            if name not in self.plain_names:
                self._compare(name, text)

    def go_on(self, line: str) -> None:
        """Another line of the last message."""
        if self.layout.style.line != DASH and MARKED_TAG.search(line):
            self.marks.add("\u200e")

    def _compare(self, name: str, text: str) -> None:
        """Find out whether what stands before the first colon is a whole name."""
        parts = text[:LONGEST_NAME].split(": ")[:-1]
        before = self.alike.get(name, parts)
        if not parts and before and text.startswith(f"{before[0]} "):  # "ACME: Support left"
            return
        alike = [part for part, other in takewhile(lambda pair: pair[0] == pair[1], zip(parts, before, strict=False))]
        if alike:
            self.alike[name] = alike
        else:
            self.plain_names.add(name)
            self.alike.pop(name, None)

    def _app(self, stamp: Stamp, marked: bool) -> None:
        """Words that the app wrote, or that it could have written."""
        name, _, text = stamp.rest.partition(": ")
        if stamp.style.line != DASH and (marked or MARKED_TAG.search(text)):
            self._mark(stamp, text.lstrip(" ") if marked else "", name)
        if match := _TAG.search(text):
            word = plain(match[1])
            edited = is_edited(word)
            self.layout.edited = self.layout.edited or edited
            self.layout.evidence.day_first = self.layout.evidence.day_first or word in DAY_FIRST
            if not edited and word not in OMITTED and (" " in word or not word.isascii()):
                self.tags[word] += len(self.tags) < MOST_NAMES
        for end in (": \u200e", ": \u200f", ": <"):
            before, found, after = stamp.rest.rpartition(end)
            if found and ": " in before and len(self.exact) < MOST_NAMES and (end != ": <" or plain(after) in OMITTED):
                self.exact.add(before)

    def _mark(self, stamp: Stamp, text: str, name: str) -> None:
        """A mark before ``text`` is the app's, but people type from right to left as well."""
        word = plain(text[:LONGEST])
        if not text.startswith("\u200f") or stamp.lead or is_written(text, name):
            self.marks.add(text[:1] or "\u200e")
        if self.notice is None and self.messages < 10 and word and is_encryption_notice(word):
            self.notice = name
        self.layout.evidence.day_first = self.layout.evidence.day_first or word in DAY_FIRST


def scan(path: ExportPath, known: Iterable[str] = ()) -> Layout:
    """Look through a file and find out how it is written; ``known`` are names that may hold ``: ``.

    All of it, because the order of day and month, who writes and whose phone it was may show only at its end. That
    takes 0.5 s per 100,000 messages.

    Raises ExportError for what is no export of WhatsApp.
    """
    seen: dict[tuple[int, str], _Seen] = {}
    read = StampReader()
    empty = True
    one: _Seen | None = None
    style: Style | None = None
    for line in decoded_lines(path):
        empty = empty and not line
        stamp = read(line)
        if stamp is None:
            if one is not None:
                one.go_on(line)
            continue
        if one is None or stamp.style is not style:
            style = stamp.style
            kind = (style.line, style.shape)
            one = seen.get(kind)
            if one is None:
                layout = Layout(path, style, Evidence(style.date), stamp, stamp)
                one = seen[kind] = _Seen(layout, stamp)
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
    return chosen.layout


def _conclude(seen: _Seen, known: set[str]) -> None:
    """What the whole file tells about its names, its chat and the owner of the phone."""
    layout = seen.layout
    layout.last = seen.last
    layout.chat = _chat(layout, seen.notice)
    layout.marks = tuple(sorted(seen.marks))
    layout.tags = frozenset(tag for tag, count in seen.tags.items() if count >= OFTEN)
    layout.notices = frozenset(filter(is_notice, layout.names))
    for name in sorted(seen.exact | known | {layout.chat} | _with_colons(seen), key=len, reverse=True):
        short, colon, _ = name.partition(": ")
        if colon and short not in seen.plain_names:
            layout.colons.setdefault(short, []).append(name)
    people = {name for name in layout.names.keys() - layout.notices if not layout.is_cut(name)}
    layout.whole = frozenset(people - layout.colons.keys())
    names = set(map(clean, people))
    if layout.colons:
        names -= {clean(short) for short in layout.colons}
        names |= {clean(name) for longer in layout.colons.values() for name in longer}
    others = {name for name in names if _names_chat(name, layout.chat)}
    if len(names) == 2 and len(others) == 1:
        layout.me, layout.group = (names - others).pop(), False
    elif len(names) > 2:
        layout.group = True
    mine = {clean(name) for name, marked in seen.mine if marked == bool(layout.marks)}
    if len(mine) == 1:
        layout.me = mine.pop()


def _with_colons(seen: _Seen) -> set[str]:
    """Names with ``: `` in them, as the name of the file or all messages of their owner show them."""
    names, chat, found = seen.layout.names, seen.layout.chat, set()
    fewest = FEWEST_IN_GROUP if len(names) > 2 else FEWEST_IN_GROUP - 1
    for short, alike in seen.alike.items():
        longer = [": ".join((short, *alike[:end])) for end in range(1, len(alike) + 1)]
        of_chat = [name for name in longer if _names_chat(clean(name), chat)]
        if of_chat or (names[short] >= fewest and not _names_chat(clean(short), chat)):
            found.add((of_chat or longer)[-1])
    return found


def _names_chat(name: str, chat: str) -> bool:
    """Whether a chat is called after somebody; the name of a file can't hold all that a contact's name can."""
    return same_name(_FORBIDDEN.sub("_", name), _FORBIDDEN.sub("_", chat))


def _chat(layout: Layout, notice: str | None) -> str:
    """The contact or group: as the file, its archive or its folder says, or the first line of an iPhone's export."""
    path = layout.path
    folder = PurePath(PurePath(str(path.parent)).name)
    outside = folder.stem if folder.suffix.lower() == ".zip" else folder.name
    if title := titled(path.stem) or titled(outside):
        layout.evidence.day_first = layout.evidence.day_first or title.day_first
        return title.name
    if notice is not None:
        return clean(notice)
    return outside if path.stem.startswith("_chat") and outside.casefold() != "whatsapp" else path.stem
