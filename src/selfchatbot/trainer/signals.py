"""Ctrl-C and SIGTERM during training: the step is finished and saved; a second Ctrl-C stops at once.

With several processes, each gets the signal twice, from the terminal and from the launcher, which kills it after half a
minute if need be: a second signal is ignored there.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from selfchatbot import distributed


class Stopped(KeyboardInterrupt):
    """A run that was asked to stop and has saved a checkpoint. The message says how to resume."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def on_signals(ask: Callable[[int], None]) -> Iterator[None]:
    """Call ``ask`` with the number of the first SIGINT or SIGTERM; in a single process, the next one works as usual.

    Signals reach the main thread only: in other threads nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # When one of several processes fails, the launcher ends the others while they report it.
    at_the_end = before if distributed.world_size() == 1 else dict.fromkeys(before, signal.SIG_IGN)
    after = before

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal after
        after = at_the_end
        _set(after)
        ask(number)

    _set(dict.fromkeys(before, handle))
    try:
        yield
    except BaseException:
        after = at_the_end
        raise
    finally:
        _set(after)


def _set(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
