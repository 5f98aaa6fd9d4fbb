"""Confidence intervals, and distances between distributions.

All intervals are 95 %. The bootstrap resamples groups, not single observations: replies from one conversation resemble
each other, so they are drawn together. The same seed gives the same interval.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Groups = NDArray[np.intp]
RESAMPLES = 1000
CONFIDENCE = 0.95
RULE_OF_THREE = 3.0
"""-ln(0.05): an event never seen in n trials has a rate of at most 3 / n, with 95 % confidence."""
MIN_CONVERSATIONS = 5
"""With fewer conversations than this, blocks of replies are resampled instead."""
BLOCKS = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def bootstrap_groups(conversations: Sequence[int]) -> Groups:
    """For each reply the number, from 0, of the group that it is resampled and held out with.

    A group is a conversation. With fewer than ``MIN_CONVERSATIONS``, each conversation is cut into blocks of
    consecutive replies, about ``BLOCKS`` in total (block bootstrap, Künsch 1989). Neighbouring blocks are not
    independent, so these intervals are too narrow rather than too wide.
    """
    keys: list[tuple[int, int]] = [(conversation, 0) for conversation in conversations]
    if len(set(conversations)) < MIN_CONVERSATIONS:
        size = math.ceil(len(conversations) / BLOCKS)
        seen: Counter[int] = Counter()
        for index, conversation in enumerate(conversations):
            keys[index] = (conversation, seen[conversation] // size)
            seen[conversation] += 1
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.intp)


def bootstrap_counts(groups: int, seed: int) -> Floats:
    """How often each group is drawn in each resample; shape (RESAMPLES, groups)."""
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    return draws.astype(np.float64)


def percentile_interval(value: float, resampled: Floats, groups: int) -> Interval:
    """The percentiles of a resampled statistic, widened for a small number of groups.

    Plain percentiles are too narrow for few groups. They are moved outwards by the ratio of the t to the normal
    distribution ("expanded percentile", Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3).
    """
    tail = _tail(groups)
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def distance_interval(value: float, resampled: Floats, groups: int) -> Interval:
    """The interval of a distance: as far below ``value`` as the upper percentile is above it, and never below 0.

    Noise only ever increases a distance, and resampling adds noise. The lower percentile would therefore exclude a
    true distance of 0, and reversed percentiles (the basic interval) would exclude true distances above a ``value``
    near 0.
    """
    high = max(value, float(np.quantile(resampled, 1 - _tail(groups))))
    return Interval(value, max(0.0, 2 * value - high), high)


def mean_interval(values: Sequence[float], groups: Groups, seed: int) -> Interval:
    """The mean of one figure per reply."""
    count = int(groups.max()) + 1
    sums, sizes = (np.bincount(groups, weights, count) for weights in (np.asarray(values, dtype=np.float64), None))
    return ratio_interval(sums.astype(np.float64), sizes.astype(np.float64), bootstrap_counts(count, seed))


def ratio_interval(numerators: Floats, denominators: Floats, counts: Floats, is_share: bool = True) -> Interval:
    """Sum of the numerators over sum of the denominators, both by group; 0 where the denominators are all 0.

    ``counts`` come from `bootstrap_counts`. ``is_share``: the ratio is a share between 0 and 1, so `rule_of_three`
    applies.
    """
    total = float(denominators.sum())
    value = float(numerators.sum()) / total if total else 0.0
    drawn = counts @ denominators
    resampled = np.divide(counts @ numerators, drawn, out=np.full(len(drawn), value), where=drawn > 0)
    interval = percentile_interval(value, resampled, len(numerators))
    return rule_of_three(interval, total) if is_share else interval


def rule_of_three(share: Interval, count: float) -> Interval:
    """Widen the interval of a share of exactly 0 or 1, where resampling finds no variation at all.

    It then reaches to 3 / count from that end (Hanley and Lippman-Hand 1983). Other shares are returned unchanged.
    """
    unseen = min(1.0, RULE_OF_THREE / max(count, 1.0))
    if share.value == 0:
        return replace(share, high=max(share.high, unseen))
    if share.value == 1:
        return replace(share, low=min(share.low, 1 - unseen))
    return share


def jackknife_interval(value: float, leave_one_out: Sequence[float]) -> Interval:
    """For a statistic that the bootstrap would bias: drawing a reply twice adds no new words, for example.

    ``leave_one_out`` is the statistic without each group in turn (Tukey 1958; Efron and Tibshirani 1993, chapter 11).
    The interval is that of a t distribution; with fewer than two groups, it is the value itself.
    """
    groups = len(leave_one_out)
    if groups < 2:
        return Interval(value, value, value)
    spread = np.asarray(leave_one_out) - np.mean(leave_one_out)
    error = float(np.sqrt((groups - 1) / groups * (spread**2).sum()))
    half = _t_quantile(groups) * error
    return Interval(value, value - half, value + half)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927); (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def wasserstein(one: Floats, other: Floats, places: Floats) -> Floats:
    """Wasserstein-1 distance of two distributions of a number: how far the values have to be moved, on average.

    ``one`` and ``other`` count how often each value occurs, shape (..., values); ``places`` are the values in
    ascending order, shape (values,). For logarithms, 0.69 means twice or half.
    """
    below = np.cumsum(_shares(one) - _shares(other), axis=-1)[..., :-1]
    distance: Floats = (np.abs(below) * np.diff(places)).sum(axis=-1)
    return distance


def jensen_shannon(one: Floats, other: Floats) -> Floats:
    """Jensen-Shannon distance of two distributions over classes, from 0 to 1: the root of the divergence in bits.

    Endres and Schindelin 2003, "A new metric for probability distributions". ``one`` and ``other`` count how often
    each class occurs, shape (..., classes).
    """
    p, q = _shares(one), _shares(other)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    distance: Floats = np.sqrt(np.clip(divergence, 0.0, 1.0))
    return distance


def log_ratio(one: float, other: float) -> float:
    """Absolute logarithm of the ratio; 0 where either number is 0."""
    return abs(math.log(one / other)) if one > 0 and other > 0 else 0.0


def _tail(groups: int) -> float:
    """Probability left out at each end of a percentile interval."""
    return NormalDist().cdf(-((groups / (groups - 1)) ** 0.5) * _t_quantile(groups)) if groups > 1 else 0.0


def _t_quantile(groups: int) -> float:
    """Half the width of a 95 % interval, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(groups - 1, (1 + CONFIDENCE) / 2))


def _shares(counts: Floats) -> Floats:
    """Counts divided by their sum; uniform where nothing was counted."""
    total = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, total, out=np.full_like(counts, 1 / counts.shape[-1]), where=total > 0)
    return shares


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    """Kullback-Leibler divergence, in bits."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    entropy: Floats = (p * np.log2(ratio)).sum(axis=-1)
    return entropy
