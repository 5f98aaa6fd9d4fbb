"""How much training is expected to help, from a learning curve measured with one person's chats.

Measured on all validation conversations of that person, see benchmarks/RECORD.md: the loss before training (4.072)
minus the loss after one epoch with the default parameters, for SmolLM2-135M.
"""

from itertools import pairwise
from math import log

MEASURED = ((250, 0.57), (500, 0.61), (2000, 0.79), (5391, 0.91))
"""Replies in the training data, improvement in nats per trained token."""
MIN_REPLIES = 50
"""With fewer replies, any forecast is a guess."""


def expected_gain(replies: int) -> float:
    """Expected improvement in nats per trained token, with this many replies of mine to train on.

    Interpolated linearly over the logarithm of the replies; outside the measured range, the outer lines are extended.
    """
    lines = list(pairwise(MEASURED))
    (n, low), (m, high) = next((line for line in lines if replies <= line[1][0]), lines[-1])
    return max(0.0, low + (high - low) * log(max(replies, 1) / n) / log(m / n))


def forecast(replies: int) -> str | None:
    """A sentence for the screen; None if there are too few replies for a forecast."""
    if replies < MIN_REPLIES:
        return None
    gain = expected_gain(replies)
    share = gain / expected_gain(MEASURED[-1][0])
    if share >= 1:
        return f"{replies:,} replies of yours to train on: plenty; more would help little"
    return (
        f"{replies:,} replies of yours to train on: the model learns about {share:.0%} of what it would from "
        f"{MEASURED[-1][0]:,} (measured with a small model and another person's chats); more chats help most"
    )
