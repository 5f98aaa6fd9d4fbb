"""Ctrl-C and SIGTERM during training: the step is finished and saved; a second Ctrl-C ends it at once.

A process of several gets the same signal twice, from the terminal and from its launcher, which ends it after half a
minute if need be: there a second signal means nothing.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from selfchatbot import ranks


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
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _: FrameType | None) -> None:
        if ranks.count() > 1:
            before.update(dict.fromkeys(before, signal.SIG_IGN))
        for each, handler in before.items():
            signal.signal(each, handler)
        ask(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
