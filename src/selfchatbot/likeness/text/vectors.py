"""Texts as vectors for classifiers: character n-grams and style features."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from selfchatbot.likeness.text.features import StyleFeature, vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_NGRAM = 4
"""Characters."""


class TextVectorizer:
    """TF-IDF of character n-grams, normalised to length 1, next to standardised style features.

    The n-grams, their rarity and the spread of each feature are learned from ``texts``, regardless of who wrote them.
    """

    def __init__(self, texts: Sequence[str], features: Sequence[StyleFeature]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.preprocessing import StandardScaler

        self._features = features
        self._ngrams = TfidfVectorizer(analyzer="char", ngram_range=(1, MAX_NGRAM), lowercase=False, sublinear_tf=True)
        self._ngrams.fit(map(_bounded, texts))
        self._scaler = StandardScaler().fit(vectors(texts, features))

    def transform(self, texts: Sequence[str]) -> "csr_matrix":
        """Shape (texts, columns)."""
        from scipy.sparse import csr_matrix, hstack

        style = self._scaler.transform(vectors(texts, self._features)) / np.sqrt(len(self._features))
        return csr_matrix(hstack([self._ngrams.transform(map(_bounded, texts)), csr_matrix(style)]))


def _bounded(text: str) -> str:
    """With newlines around it, so that n-grams see how messages begin and end."""
    return f"\n{text}\n"
