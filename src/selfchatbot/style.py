"""How replies look, whatever they say: length, messages in a burst, different words, repetition. Text only.

me = style_of(my_replies)
print(distance(style_of(its_replies), me).total)

The distances between distributions are those of `selfchatbot.likeness.measures.features` as well.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*")
"""A word between others; a character of Chinese, Japanese and Korean, which are written without or with rare spaces."""
FLOOR = 0.05
"""Added to both shares of repetition before they are compared: below it, a ratio is noise."""


@dataclass(frozen=True, slots=True)
class Style:
    """Figures of a set of replies, each reply with its messages joined by newlines."""

    replies: int
    lengths: Counter[int]
    """How many replies have so many characters."""
    bursts: Counter[int]
    """How many replies have so many messages."""
    words: Counter[str]
    """All words, in lower case."""
    repetition: float
    """Share of the words that the same reply has said before."""

    @property
    def characters(self) -> float:
        """Mean of a reply."""
        return fmean(self.lengths.elements())

    @property
    def messages(self) -> float:
        """Mean of a reply."""
        return fmean(self.bursts.elements())


@dataclass(frozen=True, slots=True)
class Distance:
    """Differences between two styles, each as a logarithm of a ratio: 0 is the same, 0.69 twice or half."""

    length: float
    messages: float
    distinct_words: float
    repetition: float

    @property
    def total(self) -> float:
        return self.length + self.messages + self.distinct_words + self.repetition


def style_of(replies: Iterable[str]) -> Style:
    """The style of ``replies``; raises ValueError when there is none."""
    texts = list(replies)
    if not texts:
        raise ValueError("no reply to look at")
    words: Counter[str] = Counter()
    repeated = 0
    for text in texts:
        own = Counter(words_of(text))
        words += own
        repeated += own.total() - len(own)
    return Style(
        replies=len(texts),
        lengths=Counter(map(len, texts)),
        bursts=Counter(len(messages_of(text)) or 1 for text in texts),
        words=words,
        repetition=repeated / max(words.total(), 1),
    )


def distance(one: Style, other: Style) -> Distance:
    """How far two styles are apart; symmetric."""
    among = min(one.words.total(), other.words.total())
    return Distance(
        length=_apart(one.lengths, other.lengths),
        messages=_apart(one.bursts, other.bursts),
        distinct_words=log_ratio(distinct_words(one.words, among), distinct_words(other.words, among)),
        repetition=log_ratio(one.repetition + FLOOR, other.repetition + FLOOR),
    )


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.casefold() for word in WORD.findall(text)]


def messages_of(reply: str) -> list[str]:
    """The messages of a burst; empty lines are none."""
    return [line for line in reply.split("\n") if line.strip()]


def distinct_words(words: Counter[str], among: int) -> float:
    """Expected number of different words in ``among`` of them, drawn without putting back (Hurlbert 1971).

    Texts of different size can be compared by it, which a plain type-token ratio doesn't allow.
    """
    total = words.total()
    among = min(among, total)
    return sum(1 - _none_of(total, count, among) for count in words.values())


def wasserstein(one: Floats, other: Floats, places: Floats) -> Floats:
    """Wasserstein-1 distance of two distributions of a number: how far its values have to be moved, on average.

    ``one`` and ``other``: how often each value was seen, shape (..., values); ``places``: the values, ascending, shape
    (values,). Of logarithms, 0.69 is twice or half.
    """
    below = np.cumsum(_shares(one) - _shares(other), axis=-1)[..., :-1]
    apart: Floats = (np.abs(below) * np.diff(places)).sum(axis=-1)
    return apart


def jensen_shannon(one: Floats, other: Floats) -> Floats:
    """Jensen-Shannon distance of two distributions over classes, from 0 to 1: the root of the divergence in bits.

    Endres and Schindelin 2003, "A new metric for probability distributions". ``one`` and ``other``: how often each
    class was seen, shape (..., classes).
    """
    p, q = _shares(one), _shares(other)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    distance: Floats = np.sqrt(np.clip(divergence, 0.0, 1.0))
    return distance


def log_ratio(one: float, other: float) -> float:
    """How many times as large, as an absolute logarithm; 0 where one of them is 0."""
    return abs(math.log(one / other)) if one > 0 and other > 0 else 0.0


def _apart(one: Counter[int], other: Counter[int]) -> float:
    values = sorted(one.keys() | other.keys())
    first, second = (np.array([counter[value] for value in values], dtype=np.float64) for counter in (one, other))
    return float(wasserstein(first, second, np.log1p(np.array(values, dtype=np.float64))))


def _shares(counts: Floats) -> Floats:
    """All alike where nothing was seen."""
    total = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, total, out=np.full_like(counts, 1 / counts.shape[-1]), where=total > 0)
    return shares


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    """In bits."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    entropy: Floats = (p * np.log2(ratio)).sum(axis=-1)
    return entropy


def _none_of(total: int, count: int, among: int) -> float:
    """The probability that none of ``count`` words is among ``among`` of ``total``."""
    if total - count < among:
        return 0.0
    choose = math.lgamma
    return math.exp(
        choose(total - count + 1) - choose(total - count - among + 1) - choose(total + 1) + choose(total - among + 1)
    )


__all__ = [
    "WORD",
    "Distance",
    "Style",
    "distance",
    "distinct_words",
    "jensen_shannon",
    "log_ratio",
    "messages_of",
    "style_of",
    "wasserstein",
    "words_of",
]
