"""The style features of each speaker, and their distances to me, with intervals."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness import result
from selfchatbot.likeness.intervals import UNSEEN, distance_interval, jackknife, percentile, ratio, resampled
from selfchatbot.likeness.measures.features import DISTINCT, DISTINCT_AMONG, Bin, Feature, Kind
from selfchatbot.likeness.result import Interval, Speaker
from selfchatbot.likeness.run.contexts import Answers
from selfchatbot.style import FLOOR, distinct_words, jensen_shannon, log_ratio, wasserstein, words_of

Floats = NDArray[np.float64]


def measure_style(
    answers: Answers, groups: NDArray[np.intp], features: Sequence[Feature], seed: int
) -> dict[Speaker, dict[str, result.Feature]]:
    """Every feature of every speaker; ``answers`` needs ``me``.

    ``groups``: the number of each context's group, from `intervals.groups_of`.
    """
    draws, others = (resampled(int(groups.max()) + 1, part) for part in (seed, seed + 1))
    found: dict[Speaker, dict[str, result.Feature]] = {speaker: {} for speaker in answers}
    for feature in features:
        for speaker, measured in _measured(answers, groups, feature, draws, others):
            found[speaker][feature.name] = measured
    for speaker, measured in _variety(answers, groups):
        found[speaker][DISTINCT] = measured
    return found


def _measured(
    answers: Answers, groups: NDArray[np.intp], feature: Feature, draws: Floats, others: Floats
) -> Iterator[tuple[Speaker, result.Feature]]:
    counted = {speaker: [Counter(feature.count(reply)) for reply in replies] for speaker, replies in answers.items()}
    seen: set[Bin] = {bin for counters in counted.values() for counter in counters for bin in counter}
    bins = sorted(seen, key=lambda bin: (feature.place(bin), str(bin))) or [False]
    places = np.array([feature.place(bin) for bin in bins])
    tables = {speaker: _table(counters, groups, bins) for speaker, counters in counted.items()}
    mine = tables["me"]
    for speaker, table in tables.items():
        value = float(_apart(mine.sum(0), table.sum(0), places, feature.kind))
        if speaker == "me":
            apart = _apart(draws @ mine, others @ mine, places, feature.kind)
            distance = percentile(float(np.median(apart)), apart, len(mine))
            if feature.kind != "number" and np.count_nonzero(mine.sum(0)) == 1:
                distance = _unseen(mine.sum(), feature.kind)
        else:
            distance = distance_interval(value, _apart(draws @ mine, draws @ table, places, feature.kind), len(mine))
        total = max(table.sum(), 1.0)
        yield (
            speaker,
            result.Feature(
                mean=ratio(table @ places, table.sum(1), draws, feature.kind != "number"),
                distance=distance,
                bins={bin: float(table[:, bins.index(bin)].sum() / total) for bin in feature.bins if bin in seen},
            ),
        )


def _unseen(count: float, kind: Kind) -> Interval:
    """Distance from me to me in what I was never seen to do in ``count`` times, though I may."""
    some = np.minimum(np.array([log(2), UNSEEN]), count)
    apart = _apart(np.array([[count, 0.0]] * 2), np.stack([count - some, some], axis=-1), np.array([0.0, 1.0]), kind)
    return Interval(value=float(apart[0]), low=0.0, high=float(apart[1]))


def _table(counters: list[Counter[Bin]], groups: NDArray[np.intp], bins: list[Bin]) -> Floats:
    """How often each group has each bin; shape (groups, bins)."""
    column = {bin: number for number, bin in enumerate(bins)}
    table = np.zeros((int(groups.max()) + 1, len(bins)))
    for group, counter in zip(groups, counters, strict=True):
        for bin, count in counter.items():
            table[group, column[bin]] += count
    return table


def _apart(one: Floats, other: Floats, places: Floats, kind: Kind) -> Floats:
    """Distances of counts of bins, shape (..., bins); the places ascend."""
    if kind == "number":
        return wasserstein(one, other, np.log1p(places))
    if kind == "ratio":
        shares = [counts @ places / np.maximum(counts.sum(-1), 1) for counts in (one, other)]
        ratios: Floats = np.abs(np.log((shares[0] + FLOOR) / (shares[1] + FLOOR)))
        return ratios
    return jensen_shannon(one, other)


def _variety(answers: Answers, groups: NDArray[np.intp]) -> Iterator[tuple[Speaker, result.Feature]]:
    """Different words, which are no sum over replies: intervals by leaving groups out."""
    count = int(groups.max()) + 1
    words = {speaker: [Counter(words_of(reply)) for reply in replies] for speaker, replies in answers.items()}
    samples: dict[Speaker, list[Counter[str]]] = {}
    for speaker, counters in words.items():
        parts: list[Counter[str]] = [Counter() for _ in range(count)]
        for group, counter in zip(groups, counters, strict=True):
            parts[group].update(counter)
        whole: Counter[str] = sum(parts, Counter())
        samples[speaker] = [whole, *(whole - part for part in parts if count > 1)]
    # As many for all: the fewer are looked at, the fewer of them have been said before.
    among = min([DISTINCT_AMONG, *(sample.total() for some in samples.values() for sample in some)])
    means: dict[Speaker, tuple[float, list[float]]] = {}
    for speaker, some in samples.items():
        value, *without = (distinct_words(sample, among) for sample in some)
        means[speaker] = value, without
    mine, mine_without = means["me"]
    noise = jackknife(mine, mine_without)
    for speaker, (value, without) in means.items():
        if speaker == "me":
            # Two sets of replies by me differ by twice the variance of one; a third is about the median of that.
            high = 2**0.5 * log_ratio(noise.high, mine)
            distance = Interval(value=high / 3, low=0.0, high=high)
        else:
            ratios = [log_ratio(one, other) for one, other in zip(mine_without, without, strict=True)]
            distance = jackknife(log_ratio(mine, value), ratios)
            distance = distance.model_copy(update={"low": max(0.0, distance.low)})
        yield speaker, result.Feature(mean=jackknife(value, without), distance=distance, bins={})
