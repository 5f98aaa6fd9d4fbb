"""What the measures of likeness count in texts, on words made for it."""

import random

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from selfchatbot.likeness.measures.context_fit import long_enough
from selfchatbot.likeness.measures.discriminator import HeldOutScores
from selfchatbot.likeness.text.distances import DISTINCT_WORDS, measure_style
from selfchatbot.likeness.text.features import Reference, style_features

SEED = 3
WORDS = [f"w{number}" for number in range(300)]


@pytest.mark.parametrize(
    ("name", "replies", "mean"),
    [
        ("characters", ["abc", "a"], 2),
        ("messages", ["a\nb\n\nc", "d"], 2),
        ("words", ["one two\nthree", "今日は"], 2),
        ("capital_start", ["Hi\nho", "(Ja)", "1 x", "今日"], 0.5),
        ("capital_words", ["I am OK", "NO i"], 0.4),
        ("full_stop", ["yes.", "no...", "ok", "はい。"], 0.5),
        ("comma", ["a, b", "1,000", "a"], 1 / 3),
        ("exclamation", ["hey!", "ho"], 0.5),
        ("question", ["why?\nbecause", "何？"], 2 / 3),
        ("ellipsis", ["well...", "so…", "a. b"], 2 / 3),
        ("emoji", ["😀", "a ❤️", "5", "a"], 0.5),
        ("emoticons", ["ok :)", "see http://x", "<3", "10:30"], 0.5),
        ("laughter", ["hahaha yes", "LOL", "jajaja", "ㅋㅋㅋ", "草", "hat", "lola", "www.x.y"], 5 / 8),
        ("greetings", ["hey there", "Olá!", "hint", "你好"], 3 / 4),
        ("stretched_words", ["soooo good", "haaahaaa"], 1 / 3),
        ("rare_words", ["well wlel"], 0.5),
        ("repeated_words", ["no no yes"], 1 / 3),
        ("function_words", ["well other wlel"], 2 / 3),
        ("scripts", ["aя", "私", "ა"], 3 / 4),
    ],
)
def test_what_a_feature_counts(name: str, replies: list[str], mean: float) -> None:
    features = {one.name: one for one in style_features(Reference.of(["well other"], ["well well"]))}
    assert features[name].mean(replies) == pytest.approx(mean)


def test_more_words_are_not_more_different_words() -> None:
    rng = random.Random(SEED)
    me, them = ([" ".join(rng.choices(WORDS, k=length)) for _ in range(30)] for length in (6, 16))
    found = measure_style({"me": me, "model": them}, np.arange(30), (), SEED)
    assert found["model"][DISTINCT_WORDS].distance.value < 0.1
    assert found["model"][DISTINCT_WORDS].mean.value == pytest.approx(found["me"][DISTINCT_WORDS].mean.value, rel=0.1)


def test_words_are_those_of_the_language() -> None:
    assert long_enough("今日は雨です") and long_enough("we'll be there soon")
    assert not long_enough("haha yeah ok")


def test_area_under_the_curve_is_that_of_scikit_learn_in_each_fold() -> None:
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 2, 90), rng.integers(0, 6, 90)
    held_out = HeldOutScores(rng.integers(0, 9, 90) / 1.0, labels, groups, groups % 3)
    wins, pairs = held_out.wins()
    for fold in range(3):
        here = held_out.folds == fold
        inside = np.ix_(*[np.arange(6) % 3 == fold] * 2)
        area = roc_auc_score(labels[here], held_out.scores[here])
        assert wins[inside].sum() / pairs[inside].sum() == pytest.approx(area)
    assert pairs.sum() == sum(pairs[np.ix_(*[np.arange(6) % 3 == fold] * 2)].sum() for fold in range(3))
