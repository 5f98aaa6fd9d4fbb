"""Copying: what of the replies stands in my training replies, word by word.

"haha yeah" is no sin: only replies of some words count, and my own test replies show how often I repeat myself. In
Chinese, Japanese and Korean, words are characters here, and rates are higher: mine as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfchatbot.likeness.intervals import groups_of, mean
from selfchatbot.likeness.result import Copying
from selfchatbot.style import words_of

FEWEST_WORDS = 5
NEAR = 0.75
"""Share of the word pairs of a reply that one training reply must have."""

Pair = tuple[str, str]


class Training:
    """My training replies, by where each pair of neighbouring words stands: a second for 24,000 of them."""

    def __init__(self, replies: Iterable[str]) -> None:
        self._places: defaultdict[Pair, list[int]] = defaultdict(list)
        """Counted through all replies."""
        self._replies: list[int] = []
        """At each place, the number of the reply."""
        for number, reply in enumerate(replies):
            words = words_of(reply)
            for place, pair in enumerate(pairwise(words), len(self._replies)):
                self._places[pair].append(place)
            # One place more than pairs, so that a run never goes on in the next reply.
            self._replies.extend([number] * len(words))

    def longest_run(self, words: Sequence[str]) -> int:
        """Words in a row of ``words`` that stand in one training reply: the most, 0 where not even two do."""
        longest = 0
        ending: dict[int, int] = {}
        for pair in pairwise(words):
            ending = {place: ending.get(place - 1, 1) + 1 for place in self._places.get(pair, ())}
            longest = max(longest, *ending.values(), 0)
        return longest

    def containment(self, words: Sequence[str]) -> float:
        """Share of the different word pairs that a training reply has, of the reply that has most (Broder 1997)."""
        pairs = set(pairwise(words))
        shared = Counter(
            number for pair in pairs for number in {self._replies[place] for place in self._places.get(pair, ())}
        )
        return max(shared.values(), default=0) / len(pairs) if pairs else 0.0


def copying(replies: Sequence[str], conversations: Sequence[int], training: Training, seed: int) -> Copying | None:
    """Of those ``replies`` that have at least five words; None where there are none.

    ``conversations``: of each reply, for the intervals.
    """
    long = [
        (words, key)
        for reply, key in zip(replies, conversations, strict=True)
        if len(words := words_of(reply)) >= FEWEST_WORDS
    ]
    if not long:
        return None
    groups: NDArray[np.intp] = groups_of([key for _, key in long])
    runs = [training.longest_run(words) for words, _ in long]
    verbatim = [run == len(words) for run, (words, _) in zip(runs, long, strict=True)]
    near = [copied or training.containment(words) >= NEAR for copied, (words, _) in zip(verbatim, long, strict=True)]
    return Copying(
        replies=len(long),
        verbatim=mean(verbatim, groups, seed),
        near=mean(near, groups, seed),
        longest_run=max(runs),
        mean_run=mean(runs, groups, seed),
    )
