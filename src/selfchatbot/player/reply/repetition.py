"""Detects replies that repeat themselves without end, as small models do."""

LOOP_REPEATS = 5
"""A sequence of tokens repeated this often in a row is a loop."""
MAX_LOOP_TOKENS = 32
"""Longest sequence that is checked."""


def repeats_itself(ids: list[int]) -> bool:
    """Whether the reply ends in a loop: its last tokens, up to ``MAX_LOOP_TOKENS``, repeated over and over."""
    return _loop_size(ids) is not None


def without_loop(ids: list[int]) -> list[int]:
    """The reply with a loop at its end reduced to one repetition."""
    size = _loop_size(ids)
    return ids if size is None else ids[: len(ids) - size * (LOOP_REPEATS - 1)]


def _loop_size(ids: list[int]) -> int | None:
    for size in range(1, min(MAX_LOOP_TOKENS, len(ids) // LOOP_REPEATS) + 1):
        # People repeat one or two tokens more often for effect: "hahahaha", "!!!!!!".
        repeats = LOOP_REPEATS if size > 2 else 4 * LOOP_REPEATS
        if len(ids) >= size * repeats and ids[-size * repeats :] == ids[-size:] * repeats:
            return size
    return None
