"""How one export is written: its dates, its names, its chat and the owner of the phone."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import same_name
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.dates import Order
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.whatsapp.locales import LONGEST_MINE, MINE, NOTICES, OMITTED, is_edited, plain, titled
from selfchatbot.preprocessors.whatsapp.stamps import BRACKETS, Evidence, Stamp, StampReader, Style

MARKED_TAG = re.compile("[\u200e\u200f]<")
"""What an iPhone's app adds to a message."""
_TAG = re.compile(r"<([^<>\n]{6,60})>$")
_QUOTES = '"“”„«»「」『』'
_TILDE = re.compile(r"\A~[\u202f\u00a0 ]?(?=.)")
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "}) | dict.fromkeys(map(ord, "\u200e\u200f\u2068\u2069\ufeff"))
_SPACES |= dict.fromkeys(range(0x202A, 0x202F))
# What a contact's name can hold and the name of a file can't.
_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
OFTEN = 5
"""A phrase in angle brackets that ends so many messages is the app's, whatever its language."""
MOST_NAMES = 20_000
"""In one file. A group has some thousand members at most; more is no chat, and memory is not for it."""


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
    mine: set[tuple[str, bool]] = field(default_factory=set)
    """Names beside the words for what the owner of the phone deleted, and whether a mark stood before these."""
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
        if len(text) < LONGEST_MINE and plain(text) in MINE:
            self.mine.add((name, marked))
        names = self.layout.names
        if not marked and (name in names or len(names) < MOST_NAMES):
            names[name] += 1
            if ": " not in text:
                self.plain_names.add(name)

    def go_on(self, line: str) -> None:
        """Another line of the last message."""
        if self.layout.style.line == BRACKETS and MARKED_TAG.search(line):
            self.layout.marked = True

    def _app(self, stamp: Stamp, marked: bool) -> None:
        """Words that the app wrote, or that it could have written."""
        name, _, text = stamp.rest.partition(": ")
        if stamp.style.line == BRACKETS and (marked or MARKED_TAG.search(text)):
            self.layout.marked = True
            if self.notice is None and self.messages < 10 and plain(text).startswith(NOTICES):
                self.notice = name
        if match := _TAG.search(text):
            word = plain(match[1])
            if not is_edited(word) and word not in OMITTED and (" " in word or not word.isascii()):
                self.tags[word] += len(self.tags) < MOST_NAMES
        for end in (": \u200e", ": \u200f", ": <"):
            before, found, after = stamp.rest.rpartition(end)
            if found and ": " in before and len(self.exact) < MOST_NAMES and (end != ": <" or plain(after) in OMITTED):
                self.exact.add(before)


def scan(path: ExportPath, known: Iterable[str] = ()) -> Layout:
    """Look through a file and find out how it is written; ``known`` are names that may hold ``: ``.

    All of it, before it is read: the order of day and month, who writes and whose phone it was may show only at its
    end. That costs 0.3 s per 100,000 messages.

    Raises ExportError for what is no export of WhatsApp.
    """
    seen: dict[tuple[int, str], _Seen] = {}
    read = StampReader()
    empty = True
    one: _Seen | None = None
    for line in decoded_lines(path):
        empty = empty and not line
        stamp = read(line)
        if stamp is None:
            if one is not None:
                one.go_on(line)
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
    others = {name for name in names if same_name(_FORBIDDEN.sub("_", name), _FORBIDDEN.sub("_", layout.chat))}
    if len(names) == 2 and len(others) == 1:
        layout.me, layout.group = (names - others).pop(), False
    elif len(names) > 2:
        layout.group = True
    mine = {clean(name) for name, marked in seen.mine if marked == layout.marked}
    if len(mine) == 1:
        layout.me = mine.pop()


def _chat(path: ExportPath, notice: str | None) -> str:
    """The contact or group: as the file, its archive or its folder says, or the first line of an iPhone's export."""
    folder = PurePath(PurePath(str(path.parent)).name)
    outside = folder.stem if folder.suffix.lower() == ".zip" else folder.name
    if name := titled(path.stem) or titled(outside):
        return name
    if notice is not None:
        return clean(notice)
    return outside if path.stem.startswith("_chat") and outside.casefold() != "whatsapp" else path.stem
