"""Recognizing that memory ran out, and turning it into one line of advice."""

from collections.abc import Iterator
from contextlib import contextmanager

from selfchatbot.errors import SelfChatBotError, lacks_memory

SMALLER = 'lower max_length, or use type_fine_tune "qlora" or a smaller model'
LESS_MEMORY = f"close other programs, {SMALLER}"


@contextmanager
def out_of_memory_advice(advice: str) -> Iterator[None]:
    """Raises SelfChatBotError with ``advice`` when memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError, ImportError) as error:
        if not lacks_memory(error):
            raise
        raise SelfChatBotError(f"out of memory: {advice}") from error
