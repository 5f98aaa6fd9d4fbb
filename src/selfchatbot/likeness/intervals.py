"""95 % bootstrap intervals over conversations: replies of one conversation resemble one another, and count together.

All resampling is by seed: the same replies give the same interval.
"""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.result import Interval

Floats = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
UNSEEN = 3.0
"""-ln(0.05): of an event that was not seen, so many may be expected at most (95 %)."""
FEWEST = 5
"""With fewer conversations than that, their pieces are resampled."""
PIECES = 10


def groups_of(conversations: Sequence[int]) -> NDArray[np.intp]:
    """What is resampled and held out together: the number of its group, from 0, for each reply.

    A group is a conversation. Of fewer than ``FEWEST`` conversations, the groups are pieces of consecutive replies,
    about ``PIECES`` in all (a block bootstrap, Künsch 1989): neighbouring pieces are not independent, so that such
    intervals are too narrow rather than too wide.
    """
    keys: list[tuple[int, int]] = [(conversation, 0) for conversation in conversations]
    if len(set(conversations)) < FEWEST:
        size = ceil(len(conversations) / PIECES)
        seen: Counter[int] = Counter()
        for index, conversation in enumerate(conversations):
            keys[index] = (conversation, seen[conversation] // size)
            seen[conversation] += 1
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.intp)


def resampled(groups: int, seed: int) -> Floats:
    """How often each group is drawn in each resample; shape (RESAMPLES, groups)."""
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    return draws.astype(np.float64)


def percentile(value: float, found: Floats, groups: int) -> Interval:
    """The interval in which 95 % of the resampled figures lie, widened for few groups.

    Percentiles alone are too narrow for few groups: they are put further out as a t distribution asks ("expanded
    percentile", Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3).
    """
    low, high = np.quantile(found, (tail := _tail(groups), 1 - tail))
    return Interval(value=value, low=min(value, float(low)), high=max(value, float(high)))


def distance_interval(value: float, found: Floats, groups: int) -> Interval:
    """Of a distance: as far below ``value`` as the upper percentile is above it, but never below 0.

    Chance only makes distances larger, and resampling does so once more: lower percentiles would leave out a true
    distance of 0, as percentiles turned round (the basic interval) would leave out true ones above a ``value`` near 0.
    """
    high = max(value, float(np.quantile(found, 1 - _tail(groups))))
    return Interval(value=value, low=max(0.0, 2 * value - high), high=high)


def mean(values: Sequence[float], groups: NDArray[np.intp], seed: int) -> Interval:
    """Mean of a figure of each of some replies."""
    count = int(groups.max()) + 1
    sums, sizes = (np.bincount(groups, weights, count) for weights in (np.asarray(values, dtype=np.float64), None))
    return ratio(sums.astype(np.float64), sizes.astype(np.float64), resampled(count, seed))


def ratio(parts: Floats, wholes: Floats, draws: Floats, share: bool = True) -> Interval:
    """Sum of ``parts`` by sum of ``wholes``, both of each group; 0 where there is nothing to divide by.

    ``share``: whether it is one, from 0 to 1, for `at_the_end`.
    """
    total = float(wholes.sum())
    value = float(parts.sum()) / total if total else 0.0
    drawn = draws @ wholes
    found = np.divide(draws @ parts, drawn, out=np.full(len(drawn), value), where=drawn > 0)
    interval = percentile(value, found, len(parts))
    return at_the_end(interval, total) if share else interval


def at_the_end(share: Interval, count: float) -> Interval:
    """A share whose interval tells that nothing seen in ``count`` is no proof of none, and all of them none of all.

    It ends at 3 / count, or begins as far from 1 (the rule of three, Hanley and Lippman-Hand 1983). Any other share is
    left as it is.
    """
    unseen = min(1.0, UNSEEN / max(count, 1.0))
    if share.value == 0:
        return share.model_copy(update={"high": max(share.high, unseen)})
    if share.value == 1:
        return share.model_copy(update={"low": min(share.low, 1 - unseen)})
    return share


def jackknife(value: float, without: Sequence[float]) -> Interval:
    """Of a figure that resampling would bias, as drawing a reply twice adds no new words.

    ``without`` is the figure with each group left out (Tukey 1958; Efron and Tibshirani 1993, chapter 11), the interval
    that of a t distribution.
    """
    groups = len(without)
    if groups < 2:
        return Interval(value=value, low=value, high=value)
    spread = np.asarray(without) - np.mean(without)
    error = float(np.sqrt((groups - 1) / groups * (spread**2).sum()))
    half = _t(groups) * error
    return Interval(value=value, low=value - half, high=value + half)


def _tail(groups: int) -> float:
    """The share to leave out at each end."""
    return NormalDist().cdf(-((groups / (groups - 1)) ** 0.5) * _t(groups)) if groups > 1 else 0.0


def _t(groups: int) -> float:
    """How many standard errors to each side are 95 %."""
    from scipy.special import stdtrit

    return float(stdtrit(groups - 1, (1 + LEVEL) / 2))
