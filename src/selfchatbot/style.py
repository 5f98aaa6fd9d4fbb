"""The look of replies, whatever they say: length, messages in a row, different words, repetition. Text only.

mine = style_of(my_replies)
print(distance(style_of(its_replies), mine).total)
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from selfchatbot.statistics import log_ratio, wasserstein

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*")
"""A word, or a single character of Chinese, Japanese and Korean, which use few or no spaces."""
REPETITION_FLOOR = 0.05
"""Added to both shares of repeated words before they are compared: below it, a ratio is noise."""


@dataclass(frozen=True, slots=True)
class Style:
    """Figures for a set of replies, each reply with its messages joined by newlines."""

    replies: int
    lengths: Counter[int]
    """Length in characters -> number of replies."""
    bursts: Counter[int]
    """Messages in a reply -> number of replies."""
    words: Counter[str]
    """All words, in lower case."""
    repetition: float
    """Share of words that occurred earlier in the same reply."""

    @property
    def characters(self) -> float:
        """Mean per reply."""
        return fmean(self.lengths.elements())

    @property
    def messages(self) -> float:
        """Mean per reply."""
        return fmean(self.bursts.elements())


@dataclass(frozen=True, slots=True)
class Distance:
    """Differences between two styles, each as the logarithm of a ratio: 0 is equal, 0.69 twice or half."""

    length: float
    messages: float
    distinct_words: float
    repetition: float

    @property
    def total(self) -> float:
        return self.length + self.messages + self.distinct_words + self.repetition


def style_of(replies: Iterable[str]) -> Style:
    """The style of ``replies``. Raises ValueError when there are none."""
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
    """How far apart two styles are; symmetric."""
    sample = min(one.words.total(), other.words.total())
    return Distance(
        length=_log_distance(one.lengths, other.lengths),
        messages=_log_distance(one.bursts, other.bursts),
        distinct_words=log_ratio(distinct_words(one.words, sample), distinct_words(other.words, sample)),
        repetition=log_ratio(one.repetition + REPETITION_FLOOR, other.repetition + REPETITION_FLOOR),
    )


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.casefold() for word in WORD.findall(text)]


def messages_of(reply: str) -> list[str]:
    """The messages of a reply, without empty lines."""
    return [line for line in reply.split("\n") if line.strip()]


def distinct_words(words: Counter[str], sample: int) -> float:
    """Expected number of different words among ``sample`` words drawn without replacement (Hurlbert 1971).

    Unlike a plain type-token ratio, this compares texts of different lengths.
    """
    total = words.total()
    sample = min(sample, total)
    return sum(1 - _probability_of_none(total, count, sample) for count in words.values())


def _log_distance(one: Counter[int], other: Counter[int]) -> float:
    """Wasserstein distance of log(1 + n)."""
    values = sorted(one.keys() | other.keys())
    first, second = (np.array([counter[value] for value in values], dtype=np.float64) for counter in (one, other))
    return float(wasserstein(first, second, np.log1p(np.array(values, dtype=np.float64))))


def _probability_of_none(total: int, count: int, sample: int) -> float:
    """That none of ``count`` words is among ``sample`` drawn from ``total`` (hypergeometric)."""
    if total - count < sample:
        return 0.0
    log_factorial = math.lgamma
    return math.exp(
        log_factorial(total - count + 1)
        - log_factorial(total - count - sample + 1)
        - log_factorial(total + 1)
        + log_factorial(total - sample + 1)
    )


__all__ = [
    "REPETITION_FLOOR",
    "WORD",
    "Distance",
    "Style",
    "distance",
    "distinct_words",
    "messages_of",
    "style_of",
    "words_of",
]
