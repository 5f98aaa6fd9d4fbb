"""Style: what is counted in replies, and how far two people are apart in it.

for feature in style_features(Reference(my_training_words, their_training_words)):
    print(feature.name, feature.mean(my_replies))

A feature counts something of each message, reply, word or letter. Classes are compared by Jensen-Shannon distance (0 to
1), numbers by Wasserstein distance between their log(1 + n) (0.69 is about twice or half), repetition by a logarithm of
a ratio: the distances of `selfchatbot.style`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.measures.lexicon import EMOTICON, GREETING, LAUGHTER, SCRIPTS, has_emoji, laughter, script
from selfchatbot.style import WORD, messages_of, words_of

Floats = NDArray[np.float64]
NOTHING = ""
"""The bin of what is none of the classes or words that are counted; no word is empty."""
FREQUENT = 100
"""Words that count as function words: the most frequent ones of mine and my contacts' together."""
KNOWN = 2
"""A word said so often by my contacts is a word."""
DISTINCT = "distinct_words"
"""The one feature that is no sum over replies: see `selfchatbot.likeness.measures.style_distances`."""
DISTINCT_AMONG = 500
"""Words in which different ones are counted, where all speakers have so many: some 40 replies."""
COMMA = re.compile(r"(?<!\d)[,،、，]|[,،、，](?!\d)")
ELLIPSIS = re.compile(r"\.{2,}|…|。{2,}")
FULL_STOP = re.compile(r"(?<![.。])[.。।][^\w.。]*$")
STRETCHED = re.compile(r"([^\W\d_])\1\1")
Bin = str | int | bool
Kind = Literal["share", "ratio", "classes", "words", "number"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that is counted."""

    name: str
    kind: Kind
    """``share``: of how many it is true; ``ratio``: the same, but twice is as much as half, however rare both are.
    ``classes``: ``bins`` and `NOTHING`. ``words``: private words and `NOTHING`."""
    sentence: str
    """Says mine and theirs; ``{what}`` is a class."""
    count: Callable[[str], Iterable[Bin]]
    """What is seen in a reply, one bin for each message, word or whatever is counted."""
    bins: tuple[str, ...] = ()

    def place(self, bin: Bin) -> float:
        """What a bin adds to the mean: a number itself, else whether it is there."""
        return float(bin not in (NOTHING, False)) if self.kind != "number" else float(bin)

    def mean(self, replies: Iterable[str]) -> float:
        """Of all that is counted; 0 where nothing is."""
        counts = Counter(chain.from_iterable(map(self.count, replies)))
        return sum(self.place(bin) * count for bin, count in counts.items()) / max(counts.total(), 1)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the training words tell about words: which are frequent, and which are words at all."""

    frequent: frozenset[str]
    known: frozenset[str]

    @classmethod
    def of(cls, mine: Iterable[str], contacts: Iterable[str]) -> "Reference":
        theirs = Counter(word for text in contacts for word in words_of(text))
        both = theirs + Counter(word for text in mine for word in words_of(text))
        # Of two words as frequent as each other, always the same one.
        ordered = sorted(both, key=lambda word: (-both[word], word))
        return cls(frozenset(ordered[:FREQUENT]), frozenset(word for word, count in theirs.items() if count >= KNOWN))


def style_features(reference: Reference) -> tuple[Feature, ...]:
    """All features but the variety of words (see `style_distances`), each with how it can fool.

    ``rare_words`` are those that my contacts hardly say: typos and abbreviations, but also names and topics of mine,
    and whatever a wider vocabulary has. ``function_words`` are frequent words, topics among them. ``scripts`` tell
    writing systems, not languages: two languages of one script differ in ``function_words``. Laughter and greetings
    are known in the spellings of `selfchatbot.likeness.measures.lexicon` only.
    """
    return (
        Feature("characters", "number", "you write {me} characters a reply, {who} {them}", _one(len)),
        Feature(
            "messages", "number", "you send {me} messages a reply, {who} {them}", _one(lambda t: len(messages_of(t)))
        ),
        Feature("words", "number", "you write {me} words a message, {who} {them}", _each(lambda m: len(words_of(m)))),
        Feature("capital_start", "share", "you begin {me} of messages with a capital, {who} {them}", _capital_starts),
        Feature("capital_words", "share", "you write {me} of words in capitals, {who} {them}", _capital_words),
        Feature("full_stop", "share", "you end {me} of messages with a full stop, {who} {them}", _holds(FULL_STOP)),
        Feature("comma", "share", "you put a comma into {me} of messages, {who} {them}", _holds(COMMA)),
        Feature(
            "exclamation", "share", "you exclaim (!) in {me} of messages, {who} {them}", _holds(re.compile("[!！]"))
        ),
        Feature("question", "share", "you ask (?) in {me} of messages, {who} {them}", _holds(re.compile("[?？؟]"))),
        Feature("ellipsis", "share", "you trail off (...) in {me} of messages, {who} {them}", _holds(ELLIPSIS)),
        Feature("emoji", "share", "you use emoji in {me} of messages, {who} {them}", _each(has_emoji)),
        Feature("emoticons", "share", "you use emoticons in {me} of messages, {who} {them}", _holds(EMOTICON)),
        Feature(
            "laughter",
            "classes",
            'you laugh "{what}" in {me} of messages, {who} {them}',
            _each(lambda message: laughter(message) or NOTHING),
            tuple(LAUGHTER),
        ),
        Feature(
            "greetings", "share", "you greet in {me} of replies, {who} {them}", _one(lambda t: bool(GREETING.match(t)))
        ),
        Feature("stretched_words", "share", "you stretch {me} of words (soooo), {who} {them}", _stretched),
        Feature(
            "rare_words",
            "share",
            "{me} of your words are unusual among your contacts (typos, abbreviations, names), {them} of {whose}",
            lambda text: (word not in reference.known for word in words_of(text)),
        ),
        Feature("repeated_words", "ratio", "you repeat {me} of words in a reply, {who} {them}", _repeated),
        Feature(
            "function_words",
            "words",
            f"you take {{me}} of words from the {FREQUENT} most frequent ones, {{who}} {{them}}",
            lambda text: (word if word in reference.frequent else NOTHING for word in words_of(text)),
        ),
        Feature(
            "scripts",
            "classes",
            "you write {me} of letters in {what} script, {who} {them}",
            lambda text: map(script, filter(str.isalpha, text)),
            tuple(dict.fromkeys(SCRIPTS.values())),
        ),
    )


def vectors(replies: Sequence[str], features: Sequence[Feature]) -> Floats:
    """Each reply as numbers: means of its features, shares of its classes; shape (replies, columns)."""
    return np.array([[value for feature in features for value in _values(reply, feature)] for reply in replies])


def _values(reply: str, feature: Feature) -> Iterator[float]:
    counts = Counter(feature.count(reply))
    total = max(counts.total(), 1)
    if feature.kind == "classes":
        yield from (counts[bin] / total for bin in feature.bins)
    else:
        mean = sum(feature.place(bin) * count for bin, count in counts.items()) / total
        yield math.log1p(mean) if feature.kind == "number" else mean


def _one(count: Callable[[str], Bin]) -> Callable[[str], tuple[Bin]]:
    """Of a reply."""
    return lambda text: (count(text),)


def _each(count: Callable[[str], Bin]) -> Callable[[str], Iterator[Bin]]:
    """Of each of its messages."""
    return lambda text: map(count, messages_of(text))


def _holds(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Bin]]:
    return _each(lambda message: pattern.search(message) is not None)


def _capital_starts(text: str) -> Iterator[Bin]:
    """Scripts without capitals don't count."""
    for message in messages_of(text):
        first = next(filter(str.isalpha, message), "")
        if first.isupper() or first.islower():
            yield first.isupper()


def _capital_words(text: str) -> Iterator[Bin]:
    """Of two letters at least: "I" is none."""
    return (word.isupper() and sum(map(str.isalpha, word)) > 1 for word in WORD.findall(text))


def _stretched(text: str) -> Iterator[Bin]:
    """Three times the same letter; laughter is counted elsewhere."""
    return (STRETCHED.search(word) is not None and laughter(word) is None for word in words_of(text))


def _repeated(text: str) -> Iterator[Bin]:
    said: set[str] = set()
    for word in words_of(text):
        yield word in said
        said.add(word)
