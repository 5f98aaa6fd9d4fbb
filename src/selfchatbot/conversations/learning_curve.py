"""How far the training data will carry: what was measured with one person's chats, read off for as many replies.

Measured on all validation conversations of that person, see docs/training.md: loss before training (4.072) less that
after one epoch with the default parameters, for SmolLM2-135M.
"""

from itertools import pairwise
from math import log

MEASURED = ((250, 0.57), (500, 0.61), (2000, 0.79), (5391, 0.91))
"""Replies trained, nats per trained token gained."""
FEWEST = 50
"""With fewer, it is anybody's guess."""


def gain(replies: int) -> float:
    """Nats per trained token to be expected from so many replies of mine.

    Between what was measured, a straight line over the logarithm of the replies; beyond, the first or last one goes on.
    """
    lines = list(pairwise(MEASURED))
    (n, low), (m, high) = next((line for line in lines if replies <= line[1][0]), lines[-1])
    return max(0.0, low + (high - low) * log(max(replies, 1) / n) / log(m / n))


def outlook(replies: int) -> str | None:
    """A sentence for the screen; None where there are too few replies to say anything."""
    if replies < FEWEST:
        return None
    times = 4 if replies < MEASURED[-1][0] else 2
    more = gain(replies * times) - gain(replies)
    return (
        f"{replies:,} replies to train on: expect about {gain(replies):.1f} nats per token better than the base model, "
        f"{times} times as many would give {more:.1f} more (measured with a small model and another person's chats)"
    )


__all__ = ["gain", "outlook"]
