"""Whom does a classifier, which knows my words and my contacts' words from the training split, believe somebody to be?

It never saw a reply of a model, so that it can't recognize one by a model's habits: only "me or one of them" is asked.
"""

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.intervals import mean
from selfchatbot.likeness.measures.discriminator import Appearance
from selfchatbot.likeness.measures.features import Feature
from selfchatbot.likeness.result import Interval
from selfchatbot.likeness.run.contexts import Training

MOST = 2000
"""Turns of each side to learn from: seconds, and more of them hardly change anything."""


class Author:
    """Me or a contact, as many turns of each to learn from. None of the two may be empty."""

    def __init__(self, training: Training, features: Sequence[Feature], seed: int) -> None:
        from sklearn.linear_model import LogisticRegression

        rng = random.Random(seed)
        sides = [[turn for turn in turns if turn] for turns in (training.contacts, training.mine)]
        count = min(MOST, *map(len, sides))
        theirs, mine = (rng.sample(turns, count) for turns in sides)
        self._appearance = Appearance([*theirs, *mine], features)
        self._classifier = LogisticRegression(C=10.0, solver="liblinear", random_state=seed)
        self._classifier.fit(self._appearance.of([*theirs, *mine]), np.repeat([0, 1], count))

    def share(self, replies: Sequence[str], groups: NDArray[np.intp], seed: int) -> Interval:
        """Share of ``replies`` that are rather mine than a contact's."""
        return mean(self._classifier.predict(self._appearance.of(replies)), groups, seed)
