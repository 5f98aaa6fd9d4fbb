"""What WhatsApp itself writes into an export, in its 61 languages: ``phrases.json`` by language.

Sources: the strings of WhatsApp for Android in public repositories (versions of 2017, 2019, 2020 and 2.23.23 of 2023,
all that its exporter writes), those of the iPhone's app (22.24) as the parser starkdmi/whats_json lists them, and
public exports and parsers for what is newer. Only ``edited_words`` and ``omitted_words`` are ours: they catch the
phrases of other versions. ``{}`` stands for a name, a title or a duration. The keys of a language:

- ``title``: the file's name without its ending;
- ``attached``: after the name of a file, in round brackets if it has no ``{}`` (Android); ``attachment``: before it, in
  angle ones (iOS);
- ``omitted``: in the place of media, Android's words, in angle brackets, and iOS's for each kind; ``omitted_words``:
  patterns of the words that say so;
- ``deleted``, and ``mine`` for what the owner of the phone deleted, so that its author made the export;
- ``edited``: after the text, in angle brackets; ``edited_words``: patterns of the words for a message and for editing;
- ``call``, and ``call_back``, which may follow it: missed calls;
- ``live``: the live location, above its comment; ``location``: the label before the link to a place;
- ``unreadable``: in the place of messages that can't be shown;
- ``poll`` and ``option``: the labels in a poll;
- ``timer``, and ``tap``, which may follow it: how long messages are kept;
- ``encrypted``: how the notice about encryption begins;
- ``notice``: how lines of the app begin that hold a colon, or the name of a group without quotation marks.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

_EDGES = " \t.。।۔።<>\u200e\u200f\u00a0"
_ODD = re.compile("[\u00a0\u202f\u200e\u200f’]")
_PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u200e": None, "\u200f": None, "’": "'"})
_LANGUAGES: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("phrases.json").read_text(encoding="utf-8")
)
# People who write in these languages may put the month or the year first.
_OTHER_ORDERS = {"en", "es", "ja", "ko", "tl", "zh"}
HEAD = 5
"""Characters at the beginning by which phrases are found."""
LONGEST = 400
"""Characters. No phrase of the app is longer."""
_SHORTEST_TIMER = 40
LONGEST_TITLE = 120
"""Characters in the place of ``{}``."""


def plain(text: str) -> str:
    """``text`` for comparison with a phrase: case, angle brackets, marks and a full stop don't count.

    Nor does it whether letters of Indic scripts with a dot below are one character or two: NFC has two.
    """
    text = text.strip(_EDGES).casefold().replace("  ", " ")
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(_PLAIN) if _ODD.search(text) else text)


def head(text: str) -> str:
    """The characters by which phrases are found."""
    first = text[:HEAD]
    return (first if first.isascii() else unicodedata.normalize("NFC", text[: 2 * HEAD])[:HEAD]).casefold()


def _plain(phrases: Iterable[str]) -> Iterator[str]:
    return map(plain, phrases)


def _phrases(*keys: str) -> Iterator[str]:
    for language in _LANGUAGES.values():
        for key in keys:
            yield from language.get(key, ())


class _Templates:
    """Phrases with gaps, found by their first characters; a gap at the beginning of a phrase holds its author."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._heads: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self._short: list[tuple[str, ...]] = []
        self._by_author: list[tuple[str, ...]] = []
        for phrase in _plain(phrases):
            pieces = tuple(phrase.split("{}"))
            if not pieces[0]:
                self._by_author.append(pieces)
            elif len(pieces[0]) < HEAD:
                self._short.append(pieces)
            else:
                self._heads[pieces[0][:HEAD]].append(pieces)

    def match(self, text: str, author: str) -> bool:
        """Whether ``text``, as `plain` gives it, is one of them."""
        name = plain(author)
        by_author = self._by_author if name and text.startswith(name) else ()
        by_head = (*self._heads.get(text[:HEAD], ()), *self._short)
        return any(_fits(pieces, text) for pieces in by_head) or any(
            _fits((name, *pieces[1:]), text) for pieces in by_author
        )


def _fits(pieces: tuple[str, ...], text: str) -> bool:
    first, *middle, last = pieces
    if not (text.startswith(first) and text.endswith(last)):
        return False
    start, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, start, end)
        if not 0 <= found - start <= LONGEST_TITLE:
            return False
        start = found + len(piece)
    return 0 <= end - start <= LONGEST_TITLE


OMITTED = frozenset(_plain(_phrases("omitted")))
# Brazil has the same words for both.
MINE = frozenset(_plain(_phrases("mine"))) - frozenset(_plain(_phrases("deleted")))
MINE_HEADS = frozenset(phrase[:HEAD] for phrase in MINE)
CALLS = frozenset(_plain(_phrases("call")))
LIVE = frozenset(_plain(_phrases("live")))
POLLS = frozenset(_plain(_phrases("poll")))
OPTIONS = tuple(frozenset(_plain(_phrases("option"))))


def _followed() -> Iterator[str]:
    """Phrases with the one that asks to touch them."""
    for language in _LANGUAGES.values():
        for first, second in (("call", "call_back"), ("timer", "tap")):
            for phrase, touch in product(language.get(first, ()), language.get(second, ())):
                yield from (f"{phrase}{sign}{touch}" for sign in (". ", ", ", "。", "，"))


_SENTENCE = re.compile(r"[.。।۔።] ?")
_WRITTEN = [*_phrases("deleted", "mine", "call", "unreadable", "timer"), *_followed()]
_TEMPLATES = _Templates(phrase for phrase in _WRITTEN if "{}" in phrase)
# Tamil and Malayalam begin with the name of the admin who deleted a message.
_BY_ADMIN = tuple(_plain(phrase[2:] for phrase in _phrases("deleted") if phrase.startswith("{}")))
# What the sentence about the timer ends in, whatever the one before it says that somebody did.
_TIMERS = {
    (first, *rest)
    for phrase in _plain(_phrases("timer"))
    if len(sentences := _SENTENCE.split(phrase, maxsplit=1)) == 2 and "{}" in sentences[1]
    for first, *rest in [sentences[1].split("{}")]
}
_TAPS = tuple(_plain(_phrases("tap")))
_TIMER_TAILS = frozenset(phrase[-HEAD:] for phrase in (*(pieces[-1] for pieces in _TIMERS), *_TAPS))
WHOLE = OMITTED | LIVE | frozenset(_plain(phrase for phrase in _WRITTEN if "{}" not in phrase))
"""What stands in the place of a whole message."""
_ENCRYPTED: dict[str, list[str]] = defaultdict(list)
for _phrase in _plain(_phrases("encrypted")):
    _ENCRYPTED[_phrase[:HEAD]].append(_phrase)
_SENTENCE_ENDS = tuple(".。।۔።")
_SHORT_HEADS = tuple({first for phrase in _WRITTEN if 0 < len(first := phrase.split("{}")[0]) < HEAD})
# What few messages that somebody typed begin with.
_HEADS = frozenset(
    spelling
    for phrase in (*_WRITTEN, *_phrases("omitted", "live", "encrypted"), *WHOLE)
    for head in [phrase[:HEAD].casefold()]
    for spelling in (head, head.replace("'", "’"), head.replace(" ", "\u00a0"))
)
_EDITED = frozenset(_plain(_phrases("edited")))
_EDITED_WORDS = re.compile(
    "|".join(
        f"(?=.*(?:{words[0]}))(?=.*(?:{words[1]}))"
        for language in _LANGUAGES.values()
        if (words := language.get("edited_words"))
    )
)
EDITED_BARE = tuple(f" \u200f{phrase}" for phrase in _LANGUAGES["ur"]["edited"])
"""Urdu has no angle brackets there."""
_OMITTED_WORDS = re.compile("|".join(_phrases("omitted_words")))
_IN_BRACKETS = [phrase for phrase in _phrases("attached") if "{}" not in phrase]
_ATTACHED = re.compile(rf"([^\n]+?) ?\((?:{'|'.join(map(re.escape, _IN_BRACKETS))})\)")
_AROUND = [phrase.split("{}") for phrase in _phrases("attached") if "{}" in phrase]
ATTACHED_STARTS = tuple(mark + before for before, _ in _AROUND if before for mark in ("", "\u200e", "\u200f"))
ATTACHED_FIRST = frozenset(start[0] for start in ATTACHED_STARTS)
ATTACHED_ENDS = (")", *(after for _, after in _AROUND if after))
"""How a line that stands for an attached file begins or ends (Android)."""
ATTACHMENT = re.compile(rf"(?:{'|'.join(map(re.escape, _phrases('attachment')))})[ \u00a0]?: ?[^<>\n]+|attached")
"""The same from an iPhone, between angle brackets."""
LOCATION = rf"(?:{'|'.join(map(re.escape, _phrases('location')))})"


class Title(NamedTuple):
    """What the name of a file says."""

    name: str
    """The contact or group."""
    day_first: bool
    """Whether it is in a language whose dates begin with the day."""


_TITLES = [
    (re.compile(re.escape(title).replace(r"\{\}", "(.+)").replace(":", "[:_]")), language not in _OTHER_ORDERS)
    for language, phrases in _LANGUAGES.items()
    for title in phrases["title"]
]
_COPY = re.compile(r"(.+?) ?\(\d{1,2}\)")


def _day_first() -> frozenset[str]:
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for language, phrases in _LANGUAGES.items():
        for key in ("omitted", "deleted", "mine", "edited"):
            found[language not in _OTHER_ORDERS].update(_plain(phrases.get(key, ())))
    return frozenset(found[True] - found[False])


DAY_FIRST = _day_first()
"""Phrases of languages whose dates begin with the day."""
_NOTICES = [
    (plain(first), tuple(map(plain, rest))) for phrase in _phrases("notice") for first, *rest in [phrase.split("{}")]
]


def is_written(content: str, author: str) -> bool:
    """Whether the app wrote a message of ``author`` that is ``content``."""
    likely = head(content) in _HEADS or content[0] in _EDGES or content.startswith(author)
    if not likely and not content.isascii():
        likely = content.startswith(_SHORT_HEADS) or content.endswith(_BY_ADMIN)
    long = len(content) >= _SHORTEST_TIMER and plain(content[-2 * HEAD :])[-HEAD:] in _TIMER_TAILS
    if not (likely or long) or len(content) > LONGEST:
        return False
    text = plain(content)
    if long and _is_timer(text):
        return True
    return text in WHOLE or _TEMPLATES.match(text, author) or is_encryption_notice(text) or text.endswith(_BY_ADMIN)


def _is_timer(text: str) -> bool:
    """Whether ``text``, as `plain` gives it, says how long messages are kept, after a sentence about who wants that."""
    without = next((text.removesuffix(tap).rstrip(_EDGES) for tap in _TAPS if text.endswith(tap)), text)
    for first, *middle, last in _TIMERS:
        start = without.find(first) if without.endswith(last) else 0
        if 0 < start <= LONGEST_TITLE and _fits((first, *middle, last), without[start:]):
            return True
    return False


def is_encryption_notice(text: str) -> bool:
    """Whether ``text``, as `plain` gives it, says that the chat is encrypted."""
    return any(
        text.startswith(phrase) and (len(text) == len(phrase) or text.startswith(_SENTENCE_ENDS, len(phrase)))
        for phrase in _ENCRYPTED.get(text[:HEAD], ())
    )


def attached_name(line: str) -> str | None:
    """The name of the attached file that a line stands for (Android); None for another line."""
    if match := _ATTACHED.fullmatch(line if line.isascii() else unicodedata.normalize("NFC", line)):
        return match[1]
    for start in ATTACHED_STARTS:
        if line.startswith(start):
            return line[len(start) :]
    for end in ATTACHED_ENDS[1:]:
        if line.endswith(end):
            return line[: -len(end)]
    return None


def is_edited(word: str) -> bool:
    """Whether what stands in angle brackets, as `plain` gives it, says that the message was edited."""
    return word in _EDITED or _EDITED_WORDS.match(word) is not None


def is_omitted(word: str) -> bool:
    """Whether a whole message in angle brackets, as `plain` gives it, stands for media."""
    return word in OMITTED or ((" " in word or not word.isascii()) and _OMITTED_WORDS.search(word) is not None)


def is_notice(name: str) -> bool:
    """Whether what stands before a colon is no name but the beginning of a line that the app wrote."""
    text = plain(name)
    return any(text.startswith(first) and _in_order(rest, text, len(first)) for first, rest in _NOTICES)


def _in_order(pieces: tuple[str, ...], text: str, start: int) -> bool:
    for piece in pieces:
        found = text.find(piece, start)
        if found < 0:
            return False
        start = found + len(piece)
    return True


def titled(stem: str) -> Title | None:
    """What a file or folder with this name is called after; None for another kind of name.

    A number in brackets, which browsers append to a second download, is left out.
    """
    stem = unicodedata.normalize("NFC", stem).replace("\u00a0", " ").translate(dict.fromkeys(map(ord, "\u200e\u200f")))
    # Some ways of sending the file make all spaces underscores.
    for name in dict.fromkeys((stem, stem.replace("_", " "))):
        for title, day_first in _TITLES:
            if match := title.fullmatch(name):
                copy = _COPY.fullmatch(match[1])
                return Title((copy[1] if copy else match[1]).strip(), day_first)
    return None
