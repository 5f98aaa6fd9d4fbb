"""Ctrl-C and SIGTERM during training: the step is finished and saved; a second Ctrl-C ends it at once.

A process of several gets the same signal twice, from the terminal and from its launcher, which ends it after half a
minute if need be: there a second signal means nothing.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from selfchatbot import distributed


class Stopped(KeyboardInterrupt):
    """A run that was asked to stop and has saved where it was. Its text says how to go on."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def on_signals(ask: Callable[[int], None]) -> Iterator[None]:
    """Call ``ask`` with the number of the first SIGINT or SIGTERM; in a single process, the next one works as always.

    Signals reach the main thread only: elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Where one process of several fails, its launcher ends the others while they say so.
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
