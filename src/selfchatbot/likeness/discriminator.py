"""Can a classifier tell the replies of two speakers apart? Area under the ROC curve: 0.5 is chance, 1 always.

Character n-grams and style features; logistic regression, each conversation judged by what was learned from the others.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.features import Feature, vectors
from selfchatbot.likeness.intervals import percentile, resampled
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
    texts = [*mine, *theirs]
    seen = Appearance(texts, features).of(texts)
    scores = _scores(seen, np.repeat([1, 0], len(mine)), np.concatenate([groups, groups]), seed)
    return _interval([(scores[: len(mine)], scores[len(mine) :], groups, groups)], seed)


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
        for group in np.unique(groups):
            places = rng.permutation(np.flatnonzero(groups == group))
            # Of an odd number, one more goes to either side.
            labels[places[: (len(places) + int(rng.integers(2))) // 2]] = 1
        scores = _scores(seen, labels, groups, seed)
        one, other = labels == 1, labels == 0
        halves.append((scores[one], scores[other], groups[one], groups[other]))
    return _interval(halves, seed)


def area(one: Floats, other: Floats, weights: Floats | None = None, others: Floats | None = None) -> float:
    """Probability that a score of ``one`` is higher than one of ``other``, ties by half (Mann and Whitney 1947).

    ``weights`` and ``others``: how often each score counts.
    """
    weights = np.ones(len(one)) if weights is None else weights
    others = np.ones(len(other)) if others is None else others
    order = np.argsort(other, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(others[order])])
    lower, upper = (np.searchsorted(other[order], one, side) for side in ("left", "right"))
    pairs = weights.sum() * others.sum()
    return float((weights * (below[lower] + below[upper])).sum() / 2 / pairs) if pairs else 0.5


def _scores(texts: "csr_matrix", labels: Groups, groups: Groups, seed: int) -> Floats:
    """How much each text looks like label 1 to a classifier that saw no text of its group: log-odds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    scores = np.zeros(len(labels))
    folds = GroupKFold(min(FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    for training, held_out in folds.split(texts, labels, groups):
        classifier = LogisticRegression(C=10.0, solver="liblinear", random_state=seed)
        scores[held_out] = classifier.fit(texts[training], labels[training]).decision_function(texts[held_out])
    return scores


def _interval(splits: list[tuple[Floats, Floats, Groups, Groups]], seed: int) -> Interval:
    """Mean AUC of several ways to split; where one of them may lie, with conversations resampled."""
    count = max(int(groups.max()) for _, _, *both in splits for groups in both) + 1
    value = fmean(area(one, other) for one, other, *_ in splits)
    draws = resampled(count, seed)
    found = [area(one, other, draw[ones], draw[others]) for one, other, ones, others in splits for draw in draws]
    return percentile(value, np.array(found), count)


def _bounded(text: str) -> str:
    """With newlines around it, so that n-grams know how messages begin and end."""
    return f"\n{text}\n"
