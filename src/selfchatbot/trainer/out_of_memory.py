"""Recognizing that memory ran out, and turning it into one line of advice."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from selfchatbot.errors import SelfChatBotError

SMALLER = 'lower max_length, or use type_fine_tune "qlora" or a smaller model'
LESS_MEMORY = f"close other programs, {SMALLER}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception raised by torch means that memory ran out, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text


@contextmanager
def out_of_memory_advice(advice: str) -> Iterator[None]:
    """Raises SelfChatBotError with ``advice`` when memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise SelfChatBotError(f"out of memory: {advice}") from error
