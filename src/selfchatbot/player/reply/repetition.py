"""Detects replies that repeat themselves without end, as small models do."""

LOOP_REPEATS = 5
"""A sequence of tokens repeated this often in a row is a loop."""
MAX_LOOP_TOKENS = 32
"""Longest sequence that is checked."""
MAX_LAUGHTER_TOKENS = 2
"""People repeat this many different tokens for effect: "hahahaha", "!!!!!!"."""


def repeats_itself(ids: list[int]) -> bool:
    """Whether the reply ends in a loop: its last tokens, up to ``MAX_LOOP_TOKENS``, repeated over and over."""
    return _loop_size(ids) is not None


def without_loop(ids: list[int]) -> list[int]:
    """The reply with a loop at its end reduced to one repetition."""
    size = _loop_size(ids)
    return ids if size is None else ids[: len(ids) - size * (LOOP_REPEATS - 1)]


def repeating_tokens(ids: list[int], size: int) -> set[int]:
    """The tokens that would make the last ``size`` tokens of the reply ``ids`` a sequence that it already has.

    Sequences of one or two different tokens may come again: laughter, rows of dots, an emoji many times.
    """
    if not size or len(ids) < size:
        return set()
    last = ids[len(ids) - size + 1 :]
    return {
        ids[end]
        for end in range(size - 1, len(ids))
        if ids[end - size + 1 : end] == last and len({*last, ids[end]}) > MAX_LAUGHTER_TOKENS
    }


def _loop_size(ids: list[int]) -> int | None:
    for size in range(1, min(MAX_LOOP_TOKENS, len(ids) // LOOP_REPEATS) + 1):
        repeats = LOOP_REPEATS if size > MAX_LAUGHTER_TOKENS else 4 * LOOP_REPEATS
        if len(ids) >= size * repeats and ids[-size * repeats :] == ids[-size:] * repeats:
            return size
    return None
