"""Style features: what is counted in replies.

for feature in style_features(Reference.of(my_training_replies, their_training_turns)):
    print(feature.name, feature.mean(my_replies))
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from selfchatbot.likeness.text.lexicon import EMOTICON, GREETING, LAUGHTER, SCRIPTS, has_emoji, laughter, script
from selfchatbot.statistics import Floats
from selfchatbot.style import WORD, messages_of, words_of

OTHER = ""
"""The bin of everything outside the classes or words that are counted; no word is empty."""
FUNCTION_WORDS = 100
"""How many of the most frequent words, mine and my contacts' together, count as function words."""
MIN_KNOWN_COUNT = 2
"""A word that my contacts wrote this often is not an unusual one."""
COMMA = re.compile(r"(?<!\d)[,،、，]|[,،、，](?!\d)")
ELLIPSIS = re.compile(r"\.{2,}|…|。{2,}")
FULL_STOP = re.compile(r"(?<![.。])[.。।][^\w.。]*$")
STRETCHED = re.compile(r"([^\W\d_])\1\1")
Bin = str | int | bool
Kind = Literal["share", "ratio", "classes", "words", "number"]


@dataclass(frozen=True, slots=True)
class StyleFeature:
    """One thing that is counted."""

    name: str
    kind: Kind
    """``share``: true or false for each unit. ``ratio``: the same, compared by ratio, so that twice is as far as half,
    however rare both are. ``number``: a number for each unit. ``classes``: one of ``bins``, or `OTHER`. ``words``: one
    of a private set of words, or `OTHER`."""
    sentence: str
    """Compares two speakers; ``{what}`` is a class."""
    count: Callable[[str], Iterable[Bin]]
    """The bins seen in a reply, one for each message, word or whatever the unit is."""
    bins: tuple[str, ...] = ()

    def place(self, bin: Bin) -> float:
        """What a bin adds to the mean: a number itself, anything else 1 or 0."""
        return float(bin not in (OTHER, False)) if self.kind != "number" else float(bin)

    def mean(self, replies: Iterable[str]) -> float:
        """Mean over everything counted; 0 where nothing is."""
        counts = Counter(chain.from_iterable(map(self.count, replies)))
        return sum(self.place(bin) * count for bin, count in counts.items()) / max(counts.total(), 1)


@dataclass(frozen=True, slots=True)
class Reference:
    """Word lists from the training text."""

    frequent: frozenset[str]
    """Function words."""
    known: frozenset[str]
    """Words that my contacts use."""

    @classmethod
    def of(cls, mine: Iterable[str], contacts: Iterable[str]) -> "Reference":
        theirs = Counter(word for text in contacts for word in words_of(text))
        both = theirs + Counter(word for text in mine for word in words_of(text))
        # Ties are broken by the alphabet, so that the list is always the same.
        ordered = sorted(both, key=lambda word: (-both[word], word))
        known = frozenset(word for word, count in theirs.items() if count >= MIN_KNOWN_COUNT)
        return cls(frozenset(ordered[:FUNCTION_WORDS]), known)


def style_features(reference: Reference) -> tuple[StyleFeature, ...]:
    """All features that are sums over replies, so all but the variety of words (`measures.style.DISTINCT_WORDS`).

    ``rare_words`` are words that my contacts hardly use: typos and abbreviations, but also my names and topics, and
    whatever a larger vocabulary adds. ``function_words`` are simply frequent words, topics included. ``scripts``
    distinguish writing systems, not languages: two languages of one script differ in ``function_words``. Laughter and
    greetings are only recognised in the spellings of `selfchatbot.likeness.text.lexicon`.
    """
    return (
        StyleFeature("characters", "number", "you write {me} characters a reply, {who} {them}", _one(len)),
        StyleFeature(
            "messages", "number", "you send {me} messages a reply, {who} {them}", _one(lambda t: len(messages_of(t)))
        ),
        StyleFeature(
            "words", "number", "you write {me} words a message, {who} {them}", _each(lambda m: len(words_of(m)))
        ),
        StyleFeature(
            "capital_start", "share", "you begin {me} of messages with a capital, {who} {them}", _capital_starts
        ),
        StyleFeature("capital_words", "share", "you write {me} of words in capitals, {who} {them}", _capital_words),
        StyleFeature(
            "full_stop", "share", "you end {me} of messages with a full stop, {who} {them}", _holds(FULL_STOP)
        ),
        StyleFeature("comma", "share", "you put a comma into {me} of messages, {who} {them}", _holds(COMMA)),
        StyleFeature(
            "exclamation", "share", "you exclaim (!) in {me} of messages, {who} {them}", _holds(re.compile("[!！]"))
        ),
        StyleFeature(
            "question", "share", "you ask (?) in {me} of messages, {who} {them}", _holds(re.compile("[?？؟]"))
        ),
        StyleFeature("ellipsis", "share", "you trail off (...) in {me} of messages, {who} {them}", _holds(ELLIPSIS)),
        StyleFeature("emoji", "share", "you use emoji in {me} of messages, {who} {them}", _each(has_emoji)),
        StyleFeature("emoticons", "share", "you use emoticons in {me} of messages, {who} {them}", _holds(EMOTICON)),
        StyleFeature(
            "laughter",
            "classes",
            'you laugh "{what}" in {me} of messages, {who} {them}',
            _each(lambda message: laughter(message) or OTHER),
            tuple(LAUGHTER),
        ),
        StyleFeature(
            "greetings", "share", "you greet in {me} of replies, {who} {them}", _one(lambda t: bool(GREETING.match(t)))
        ),
        StyleFeature("stretched_words", "share", "you stretch {me} of words (soooo), {who} {them}", _stretched),
        StyleFeature(
            "rare_words",
            "share",
            "{me} of your words are unusual among your contacts (typos, abbreviations, names), {them} of {whose}",
            lambda text: (word not in reference.known for word in words_of(text)),
        ),
        StyleFeature("repeated_words", "ratio", "you repeat {me} of words in a reply, {who} {them}", _repeated),
        StyleFeature(
            "function_words",
            "words",
            f"you take {{me}} of words from the {FUNCTION_WORDS} most frequent ones, {{who}} {{them}}",
            lambda text: (word if word in reference.frequent else OTHER for word in words_of(text)),
        ),
        StyleFeature(
            "scripts",
            "classes",
            "you write {me} of letters in {what} script, {who} {them}",
            lambda text: map(script, filter(str.isalpha, text)),
            tuple(dict.fromkeys(SCRIPTS.values())),
        ),
    )


def vectors(replies: Sequence[str], features: Sequence[StyleFeature]) -> Floats:
    """Each reply as numbers, the means of its features and the shares of its classes; shape (replies, columns)."""
    return np.array([[value for feature in features for value in _values(reply, feature)] for reply in replies])


def _values(reply: str, feature: StyleFeature) -> Iterator[float]:
    counts = Counter(feature.count(reply))
    total = max(counts.total(), 1)
    if feature.kind == "classes":
        yield from (counts[bin] / total for bin in feature.bins)
    else:
        mean = sum(feature.place(bin) * count for bin, count in counts.items()) / total
        yield math.log1p(mean) if feature.kind == "number" else mean


def _one(count: Callable[[str], Bin]) -> Callable[[str], tuple[Bin]]:
    """Count one bin for each reply."""
    return lambda text: (count(text),)


def _each(count: Callable[[str], Bin]) -> Callable[[str], Iterator[Bin]]:
    """Count one bin for each message."""
    return lambda text: map(count, messages_of(text))


def _holds(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Bin]]:
    return _each(lambda message: pattern.search(message) is not None)


def _capital_starts(text: str) -> Iterator[Bin]:
    """Messages in scripts without capitals are not counted."""
    for message in messages_of(text):
        first = next(filter(str.isalpha, message), "")
        if first.isupper() or first.islower():
            yield first.isupper()


def _capital_words(text: str) -> Iterator[Bin]:
    """Words of at least two letters: "I" is not written in capitals."""
    return (word.isupper() and sum(map(str.isalpha, word)) > 1 for word in WORD.findall(text))


def _stretched(text: str) -> Iterator[Bin]:
    """The same letter three times in a row; laughter is a feature of its own."""
    return (STRETCHED.search(word) is not None and laughter(word) is None for word in words_of(text))


def _repeated(text: str) -> Iterator[Bin]:
    seen: set[str] = set()
    for word in words_of(text):
        yield word in seen
        seen.add(word)
