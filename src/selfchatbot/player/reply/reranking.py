"""Ranks several candidate replies by how well they fit the conversation.

The score is the pointwise mutual information of conversation and reply (Li et al. 2016, "A Diversity-Promoting
Objective Function for Neural Conversation Models"): the log-probability of the reply in the conversation minus its
log-probability without the conversation. It is divided by the square root of the number of tokens, because the plain
sum prefers long replies and the mean per token prefers short ones (docs/likeness.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from selfchatbot.player.reply.repetition import without_loop

LogProbabilities = Callable[[list[int], list[list[int]]], list[float]]
"""From a prompt and several continuations, all as token ids, to the log-probability of each continuation (nats)."""


@dataclass(slots=True)
class Candidate:
    """The tokens of one possible reply."""

    ids: list[int] = field(default_factory=list)
    """Without the token that ends the turn."""
    log_probabilities: list[float] = field(default_factory=list)
    """The model's log-probability of each of ``ids`` and, if the model ended the turn, of the end token (nats)."""

    @property
    def ended(self) -> bool:
        """Whether the model ended the turn."""
        return len(self.log_probabilities) > len(self.ids)

    def add(self, token: int, log_probability: float, end: int) -> None:
        """Append one generated token; ``end`` is the token that ends a turn."""
        self.log_probabilities.append(log_probability)
        if token != end:
            self.ids.append(token)

    def without_loop(self) -> "Candidate":
        """Without the loop that it may end in: each repetition is more probable than the last and would add score."""
        ids = without_loop(self.ids)
        return self if len(ids) == len(self.ids) else Candidate(ids, self.log_probabilities[: len(ids)])


def pmi_scores(
    candidates: Sequence[Candidate], end: int, bare_prompt: list[int], log_probabilities: LogProbabilities
) -> list[float]:
    """The score of each candidate, in nats per square root of its tokens.

    ``bare_prompt`` is the prompt without the conversation. Every candidate must have at least one token.
    """
    continuations = [[*one.ids, end] if one.ended else one.ids for one in candidates]
    return [
        (sum(one.log_probabilities) - without) / math.sqrt(len(one.log_probabilities))
        for one, without in zip(candidates, log_probabilities(bare_prompt, continuations), strict=True)
    ]
