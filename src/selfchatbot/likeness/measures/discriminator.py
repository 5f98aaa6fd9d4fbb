"""Can a classifier tell the replies of two speakers apart? Area under the ROC curve: 0.5 is chance, 1 always.

Character n-grams and style features; logistic regression, each conversation judged by what was learned from the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.intervals import at_the_end, percentile, resampled
from selfchatbot.likeness.measures.features import Feature, vectors
from selfchatbot.likeness.result import Interval

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Groups = NDArray[np.intp]
FOLDS = 5
LONGEST = 4
"""Characters of an n-gram."""
HALVES = 5
"""Ways to halve my own replies, of which the mean is taken: a single one is a toss."""
FEWEST = 2
"""Groups: with fewer, nothing can be held out."""


class Appearance:
    """Texts as numbers: TF-IDF of character n-grams, each text of length 1, beside standardized style features.

    Which n-grams there are, how rare they are, and how widely a feature varies is learned from ``texts``; who wrote
    them plays no part in it.
    """

    def __init__(self, texts: Sequence[str], features: Sequence[Feature]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.preprocessing import StandardScaler

        self._features = features
        self._ngrams = TfidfVectorizer(analyzer="char", ngram_range=(1, LONGEST), lowercase=False, sublinear_tf=True)
        self._ngrams.fit(map(_bounded, texts))
        self._scaler = StandardScaler().fit(vectors(texts, features))

    def of(self, texts: Sequence[str]) -> "csr_matrix":
        """Shape (texts, columns)."""
        from scipy.sparse import csr_matrix, hstack

        style = self._scaler.transform(vectors(texts, self._features)) / np.sqrt(len(self._features))
        return csr_matrix(hstack([self._ngrams.transform(map(_bounded, texts)), csr_matrix(style)]))


def separability(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[Feature], seed: int
) -> Interval | None:
    """AUC of telling ``theirs`` from ``mine``; both have a reply at every place of ``groups``.

    The two replies of a place are always held out together, and so are all of a conversation: neither its topic nor
    their number gives anything away. The interval resamples conversations of one set of classifiers. None where there
    is but one group.
    """
    if len(np.unique(groups)) < FEWEST:
        return None
    return _interval([_pairs(mine, theirs, groups, features, seed)], seed)


def worst(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[Feature], seed: int
) -> list[int]:
    """Places of ``theirs``, those first that look least like mine to the classifiers of `separability`.

    Empty where there is but one group.
    """
    if len(np.unique(groups)) < FEWEST:
        return []
    scores = _pairs(mine, theirs, groups, features, seed).scores[len(mine) :]
    return [int(place) for place in np.argsort(scores, kind="stable")]


def own_halves(mine: Sequence[str], groups: Groups, features: Sequence[Feature], seed: int) -> Interval | None:
    """The same of me against me, which must be 0.5: halves of my replies, drawn in each conversation.

    The interval is where one such AUC may lie; with half as many replies of each side as `separability` has, it is
    rather wide. None with a single group.
    """
    if len(np.unique(groups)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    seen = Appearance(mine, features).of(mine)
    halves = []
    for _ in range(HALVES):
        labels = np.zeros(len(mine), dtype=np.intp)
        more = int(rng.integers(2))
        for group in np.unique(groups):
            places = rng.permutation(np.flatnonzero(groups == group))
            labels[places[: (len(places) + more) // 2]] = 1
            # Of odd numbers, one more goes to either side in turn.
            more = (more + len(places)) % 2
        halves.append(_judged(seen, labels, groups, seed))
    return _interval(halves, seed)


@dataclass(frozen=True, slots=True)
class Judged:
    """Texts of two speakers, each judged by a classifier that saw no text of its group."""

    scores: Floats
    """How much each looks like label 1: log-odds."""
    labels: Groups
    """0 or 1."""
    groups: Groups
    folds: Groups
    """Texts of the same fold were judged by the same classifier: only these are compared."""

    def wins(self) -> tuple[Floats, Floats]:
        """Of texts of label 1 over those of label 0, ties by half, and all such pairs; by groups, shape (g, g)."""
        one, other = (np.flatnonzero(self.labels == label) for label in (1, 0))
        same = (self.folds[one][:, None] == self.folds[other]).astype(np.float64)
        won = same * (np.sign(self.scores[one][:, None] - self.scores[other]) + 1) / 2
        member = np.eye(int(self.groups.max()) + 1)[self.groups]
        wins, pairs = (member[one].T @ table @ member[other] for table in (won, same))
        return wins, pairs


def _pairs(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[Feature], seed: int
) -> Judged:
    texts = [*mine, *theirs]
    labels = np.repeat([1, 0], len(mine)).astype(np.intp)
    return _judged(Appearance(texts, features).of(texts), labels, np.concatenate([groups, groups]), seed)


def _judged(texts: "csr_matrix", labels: Groups, groups: Groups, seed: int) -> Judged:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    judged = Judged(np.zeros(len(labels)), labels, groups, np.zeros(len(labels), dtype=np.intp))
    folds = GroupKFold(min(FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    for fold, (training, held_out) in enumerate(folds.split(texts, labels, groups)):
        judged.folds[held_out] = fold
        if len(np.unique(labels[training])) < 2:
            continue  # nothing to learn from so few: all alike
        classifier = LogisticRegression(C=10.0, solver="liblinear", random_state=seed)
        judged.scores[held_out] = classifier.fit(texts[training], labels[training]).decision_function(texts[held_out])
    return judged


def _interval(splits: Sequence[Judged], seed: int) -> Interval:
    """Mean AUC of several ways to split; where one of them may lie, with conversations resampled.

    AUC: the share of pairs that are in the right order (Mann and Whitney 1947). Pairs within a fold only: scores of
    different classifiers have no common scale, and what is the same on both sides gives 0.5 on average, by symmetry.
    """
    counts = [judged.wins() for judged in splits]
    value = fmean(float(wins.sum() / pairs.sum()) if pairs.any() else 0.5 for wins, pairs in counts)
    draws = resampled(len(counts[0][0]), seed)
    found = []
    for wins, pairs in counts:
        won, of = (np.einsum("rg,gh,rh->r", draws, table, draws, optimize=True) for table in (wins, pairs))
        found.append(np.divide(won, of, out=np.full(len(draws), value), where=of > 0))
    fewest = min(int((judged.labels == label).sum()) for judged in splits for label in (0, 1))
    return at_the_end(percentile(value, np.concatenate(found), len(draws[0])), fewest)


def _bounded(text: str) -> str:
    """With newlines around it, so that n-grams know how messages begin and end."""
    return f"\n{text}\n"
