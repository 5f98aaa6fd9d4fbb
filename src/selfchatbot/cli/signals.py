"""A closed terminal and a `kill` end a conversation as `exit` does: everything is kept, nobody sees a traceback."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def ended_by_signals(leave: Callable[[SystemExit], bool] = lambda _: False) -> Iterator[None]:
    """Within it, these signals raise SystemExit with the exit code that shells give them.

    Not where ``leave`` sees to that itself, and returns True: an event loop must not be left from in between.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            _nobody_reads()
        reason = SystemExit(128 + number)
        if not leave(reason):
            raise reason

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for name in NAMES if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nobody_reads() -> None:
    """The terminal has gone: whatever is still written, at exit too, goes nowhere instead of failing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
