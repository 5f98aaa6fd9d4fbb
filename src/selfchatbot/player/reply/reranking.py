"""Several possible replies to the same conversation: which of them belongs most to it?

The one that becomes most probable by it: its log-probability in the conversation less that without any (pointwise
mutual information; Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models"), divided
by the root of its tokens. As it is, the sum prefers long replies, and by token short ones (docs/likeness.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfchatbot.player.reply.repetition import without_loop

LogProbabilities = Callable[[list[int], list[list[int]]], list[float]]
"""Natural logarithms of the probability of each of some continuations after a prompt, all as token ids."""


@dataclass(slots=True)
class Drawn:
    """The tokens of one candidate."""

    ids: list[int]
    """Without the token that ends the turn."""
    log_probabilities: list[float]
    """Natural logarithms of what the model gave each of ``ids`` and, where the turn was ended, its end."""

    @property
    def ended(self) -> bool:
        """Whether the model ended the turn."""
        return len(self.log_probabilities) > len(self.ids)

    def once(self) -> "Drawn":
        """Without the loop in which it may end: what is said over and over is ever likelier."""
        ids = without_loop(self.ids)
        return self if len(ids) == len(self.ids) else Drawn(ids, self.log_probabilities[: len(ids)])


def gains(candidates: Sequence[Drawn], end: int, alone: list[int], log_probabilities: LogProbabilities) -> list[float]:
    """Nats by the root of its tokens that the conversation adds to each candidate.

    ``alone`` is the prompt without the conversation; no candidate may be without any token.
    """
    continuations = [[*one.ids, end] if one.ended else one.ids for one in candidates]
    return [
        (sum(one.log_probabilities) - without) / math.sqrt(len(one.log_probabilities))
        for one, without in zip(candidates, log_probabilities(alone, continuations), strict=True)
    ]
