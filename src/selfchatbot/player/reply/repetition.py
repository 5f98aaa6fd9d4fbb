"""Where a reply begins to say the same over and over, as small models do."""

LOOP_REPEATS = 5
"""A piece of a reply that comes so often in a row is a loop."""


def looping(ids: list[int]) -> bool:
    """Whether the reply repeats its last piece, of up to 32 tokens, over and over."""
    return _loop(ids) is not None


def without_loop(ids: list[int]) -> list[int]:
    """The reply with its loop, if it ends in one, said once."""
    size = _loop(ids)
    return ids if size is None else ids[: len(ids) - size * (LOOP_REPEATS - 1)]


def _loop(ids: list[int]) -> int | None:
    for size in range(1, min(32, len(ids) // LOOP_REPEATS) + 1):
        # A single token may well come often: "hahahaha", "!!!!!!".
        repeats = LOOP_REPEATS if size > 2 else 4 * LOOP_REPEATS
        if len(ids) >= size * repeats and ids[-size * repeats :] == ids[-size:] * repeats:
            return size
    return None
