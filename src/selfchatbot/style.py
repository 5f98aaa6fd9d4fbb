"""How replies look, whatever they say: length, messages in a burst, different words, repetition. Text only.

me = style_of(my_replies)
print(distance(style_of(its_replies), me).total)
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*")
"""A word between others; a character of Chinese, Japanese and Korean, which are written without or with rare spaces."""
QUANTILES = 10
FLOOR = 0.05
"""Added to both shares of repetition before they are compared: below it, a ratio is noise."""


@dataclass(frozen=True, slots=True)
class Style:
    """Figures of a set of replies, each reply with its messages joined by newlines."""

    replies: int
    characters: float
    """Mean of a reply."""
    messages: float
    """Mean of a reply."""
    lengths: tuple[float, ...]
    """Quantiles of log(1 + characters), lowest first."""
    words: Counter[str]
    """All words, in lower case."""
    repetition: float
    """Share of the words that the same reply has said before."""

    def distinct_words(self, among: int) -> float:
        """Expected number of different words in ``among`` of them, drawn without putting back (Hurlbert 1971).

        Texts of different size can be compared by it, which a plain type-token ratio doesn't allow.
        """
        total = self.words.total()
        among = min(among, total)
        return sum(1 - _none_of(total, count, among) for count in self.words.values())


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
        own = Counter(match.casefold() for match in WORD.findall(text))
        words += own
        repeated += own.total() - len(own)
    logs = sorted(math.log1p(len(text)) for text in texts)
    return Style(
        replies=len(texts),
        characters=fmean(len(text) for text in texts),
        messages=fmean(len([line for line in text.split("\n") if line.strip()]) or 1 for text in texts),
        lengths=tuple(_quantile(logs, (number + 0.5) / QUANTILES) for number in range(QUANTILES)),
        words=words,
        repetition=repeated / max(words.total(), 1),
    )


def distance(one: Style, other: Style) -> Distance:
    """How far two styles are apart; symmetric."""
    among = min(one.words.total(), other.words.total())
    return Distance(
        length=fmean(abs(a - b) for a, b in zip(one.lengths, other.lengths, strict=True)),
        messages=abs(math.log(one.messages / other.messages)),
        distinct_words=_log_ratio(one.distinct_words(among), other.distinct_words(among)),
        repetition=abs(math.log((one.repetition + FLOOR) / (other.repetition + FLOOR))),
    )


def _log_ratio(one: float, other: float) -> float:
    return abs(math.log(one / other)) if one > 0 and other > 0 else 0.0


def _none_of(total: int, count: int, among: int) -> float:
    """The probability that none of ``count`` words is among ``among`` of ``total``."""
    if total - count < among:
        return 0.0
    choose = math.lgamma
    return math.exp(
        choose(total - count + 1) - choose(total - count - among + 1) - choose(total + 1) + choose(total - among + 1)
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between neighbours, as numpy does by default."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


__all__ = ["Distance", "Style", "distance", "style_of"]
