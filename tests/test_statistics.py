"""Intervals and distances, against known distributions and formulas."""

import numpy as np
import pytest

from selfchatbot.statistics import (
    bootstrap_counts,
    bootstrap_groups,
    jackknife_interval,
    jensen_shannon,
    mean_interval,
    ratio_interval,
    wasserstein,
)


def test_intervals_contain_the_truth_95_times_out_of_100() -> None:
    """Means of replies that resemble one another within a conversation, of few conversations."""
    rng = np.random.default_rng(5)
    for conversations in (6, 20):
        keys = np.repeat(np.arange(conversations), 6)
        inside = alone = 0
        for _ in range(200):
            values = rng.normal(0, 1, conversations)[keys] + rng.normal(0, 1, len(keys))
            interval, narrow = (mean_interval(values.tolist(), groups, 1) for groups in (keys, np.arange(len(keys))))
            inside += interval.low <= 0 <= interval.high
            alone += narrow.low <= 0 <= narrow.high
        assert 0.91 <= inside / 200 <= 0.99
        assert alone / 200 < 0.85  # as if every reply were on its own


def test_few_conversations_are_resampled_in_blocks() -> None:
    groups = bootstrap_groups([1] * 30 + [2] * 20)
    assert len(set(groups[:30])) == 6 and len(set(groups[30:])) == 4
    assert sorted(groups) == list(groups)
    assert bootstrap_groups([5, 5, 1, 2, 3, 4]).tolist() == [0, 0, 1, 2, 3, 4]


def test_a_mean_that_happens_to_be_one_is_not_a_share() -> None:
    ones = np.full(5, 20.0)
    assert ratio_interval(ones, ones, bootstrap_counts(5, 1), is_share=False).low == 1


def test_a_share_of_none_or_all_is_not_certain() -> None:
    zeros, ones = np.zeros(5), np.full(5, 20.0)
    assert ratio_interval(zeros, ones, bootstrap_counts(5, 1)).high == pytest.approx(0.03)
    assert ratio_interval(ones, ones, bootstrap_counts(5, 1)).low == pytest.approx(0.97)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 4.0, 2.0, 7.0])
    interval = jackknife_interval(values.mean(), [np.delete(values, index).mean() for index in range(4)])
    assert interval.high - interval.value == pytest.approx(3.182446 * values.std(ddof=1) / 2)


def test_distances_of_known_distributions() -> None:
    places = np.array([0.0, 1.0, 4.0])
    one, other = np.array([2.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0])
    assert wasserstein(one, other, places) == pytest.approx(2.5)
    assert wasserstein(one, 3 * one, places) == 0
    assert jensen_shannon(one, other) == pytest.approx(1)
    assert jensen_shannon(np.array([1.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(0.5579, abs=1e-4)
