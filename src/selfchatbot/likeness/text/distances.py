"""The style features of each speaker, and the distance of their distributions from mine."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from selfchatbot.likeness.parts import Part
from selfchatbot.likeness.run.contexts import Answers
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.features import Bin, Kind, StyleFeature
from selfchatbot.statistics import (
    RULE_OF_THREE,
    Floats,
    Groups,
    Interval,
    bootstrap_counts,
    distance_interval,
    jackknife_interval,
    jensen_shannon,
    log_ratio,
    percentile_interval,
    ratio_interval,
    wasserstein,
)
from selfchatbot.style import REPETITION_FLOOR, distinct_words, words_of

DISTINCT_WORDS = "distinct_words"
"""The one feature that is not a sum over replies."""
DISTINCT_WORDS_SAMPLE = 500
"""Words among which different ones are counted, if all speakers have as many: about 40 replies."""


class FeatureResult(Part):
    """One style feature of one speaker; the names are those of `selfchatbot.likeness.text.features`."""

    mean: Interval = Field(description="Mean per reply, message or word, in the feature's unit; shares are 0 to 1.")
    distance: Interval = Field(
        description="From my distribution, by the feature's metric. For me: between two resamples of my own replies, "
        "the distance that chance alone makes."
    )
    bins: dict[str, float] = Field(description="Shares of fixed classes, for features that have some.")


def measure_style(
    answers: Answers, groups: Groups, features: Sequence[StyleFeature], seed: int
) -> dict[Speaker, dict[str, FeatureResult]]:
    """Every feature of every speaker; ``answers`` must hold ``me``.

    Shares and classes are compared by Jensen-Shannon distance (0 to 1), numbers by the Wasserstein distance of
    log(1 + n), where 0.69 is about twice or half, and repetition by the logarithm of a ratio. ``groups``: the group of
    each context, from `bootstrap_groups`.
    """
    counts, more_counts = (bootstrap_counts(int(groups.max()) + 1, part) for part in (seed, seed + 1))
    found: dict[Speaker, dict[str, FeatureResult]] = {speaker: {} for speaker in answers}
    for feature in features:
        for speaker, result in _compare(answers, groups, feature, counts, more_counts):
            found[speaker][feature.name] = result
    for speaker, result in _compare_variety(answers, groups):
        found[speaker][DISTINCT_WORDS] = result
    return found


def _compare(
    answers: Answers, groups: Groups, feature: StyleFeature, counts: Floats, more_counts: Floats
) -> Iterator[tuple[Speaker, FeatureResult]]:
    counted = {speaker: [Counter(feature.count(reply)) for reply in replies] for speaker, replies in answers.items()}
    seen: set[Bin] = {bin for counters in counted.values() for counter in counters for bin in counter}
    bins = sorted(seen, key=lambda bin: (feature.place(bin), str(bin))) or [False]
    places = np.array([feature.place(bin) for bin in bins])
    tables = {speaker: _table(counters, groups, bins) for speaker, counters in counted.items()}
    mine = tables["me"]
    for speaker, table in tables.items():
        value = float(_distance(mine.sum(0), table.sum(0), places, feature.kind))
        if speaker == "me":
            by_chance = _distance(counts @ mine, more_counts @ mine, places, feature.kind)
            distance = percentile_interval(float(np.median(by_chance)), by_chance, len(mine))
            if feature.kind != "number" and np.count_nonzero(mine.sum(0)) == 1:
                distance = _unseen(mine.sum(), feature.kind)
        else:
            resampled = _distance(counts @ mine, counts @ table, places, feature.kind)
            distance = distance_interval(value, resampled, len(mine))
        total = max(table.sum(), 1.0)
        yield (
            speaker,
            FeatureResult(
                mean=ratio_interval(table @ places, table.sum(1), counts, feature.kind != "number"),
                distance=distance,
                bins={bin: float(table[:, bins.index(bin)].sum() / total) for bin in feature.bins if bin in seen},
            ),
        )


def _unseen(count: float, kind: Kind) -> Interval:
    """Distance between two samples of mine in something that I never did in ``count`` times, though I might have."""
    some = np.minimum(np.array([math.log(2), RULE_OF_THREE]), count)
    never = np.array([[count, 0.0]] * 2)
    distances = _distance(never, np.stack([count - some, some], axis=-1), np.array([0.0, 1.0]), kind)
    return Interval(value=float(distances[0]), low=0.0, high=float(distances[1]))


def _table(counters: list[Counter[Bin]], groups: Groups, bins: list[Bin]) -> Floats:
    """How often each group has each bin; shape (groups, bins)."""
    column = {bin: number for number, bin in enumerate(bins)}
    table = np.zeros((int(groups.max()) + 1, len(bins)))
    for group, counter in zip(groups, counters, strict=True):
        for bin, count in counter.items():
            table[group, column[bin]] += count
    return table


def _distance(one: Floats, other: Floats, places: Floats, kind: Kind) -> Floats:
    """Distances of counts of bins, shape (..., bins); the places are in ascending order."""
    if kind == "number":
        return wasserstein(one, other, np.log1p(places))
    if kind == "ratio":
        shares = [counts @ places / np.maximum(counts.sum(-1), 1) for counts in (one, other)]
        ratios: Floats = np.abs(np.log((shares[0] + REPETITION_FLOOR) / (shares[1] + REPETITION_FLOOR)))
        return ratios
    return jensen_shannon(one, other)


def _compare_variety(answers: Answers, groups: Groups) -> Iterator[tuple[Speaker, FeatureResult]]:
    """Different words are not a sum over replies, so their intervals leave out one group at a time."""
    count = int(groups.max()) + 1
    words = {speaker: [Counter(words_of(reply)) for reply in replies] for speaker, replies in answers.items()}
    samples: dict[Speaker, list[Counter[str]]] = {}
    for speaker, counters in words.items():
        parts: list[Counter[str]] = [Counter() for _ in range(count)]
        for group, counter in zip(groups, counters, strict=True):
            parts[group].update(counter)
        whole: Counter[str] = sum(parts, Counter())
        samples[speaker] = [whole, *(whole - part for part in parts if count > 1)]
    # The same sample size for all speakers: the fewer words are drawn, the fewer of them repeat.
    size = min([DISTINCT_WORDS_SAMPLE, *(sample.total() for some in samples.values() for sample in some)])
    means: dict[Speaker, tuple[float, list[float]]] = {}
    for speaker, some in samples.items():
        value, *leave_one_out = (distinct_words(sample, size) for sample in some)
        means[speaker] = value, leave_one_out
    mine, mine_left = means["me"]
    noise = jackknife_interval(mine, mine_left)
    for speaker, (value, left) in means.items():
        if speaker == "me":
            # Two sets of my replies differ by twice the variance of one; a third is about the median of that.
            high = 2**0.5 * log_ratio(noise.high, mine)
            distance = Interval(value=high / 3, low=0.0, high=high)
        else:
            ratios = [log_ratio(one, other) for one, other in zip(mine_left, left, strict=True)]
            distance = jackknife_interval(log_ratio(mine, value), ratios)
            distance = replace(distance, low=max(0.0, distance.low))
        yield speaker, FeatureResult(mean=jackknife_interval(value, left), distance=distance, bins={})
