"""A closed terminal or a `kill` ends a script like `exit`: everything is saved, and nothing half-written is left."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNAL_NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def exit_on_signals(leave: Callable[[SystemExit], bool] = lambda _: False) -> Iterator[None]:
    """While this is active, these signals raise SystemExit with the exit code that shells give them.

    If ``leave`` returns True, it ends the program itself and nothing is raised: an event loop, for example, must not be
    left by an exception from a signal handler.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            _discard_output()
        reason = SystemExit(128 + number)
        if not leave(reason):
            raise reason

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for name in SIGNAL_NAMES if (number := getattr(signal, name, None)) is not None]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # under nohup
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _discard_output() -> None:
    """The terminal is gone: send all further output nowhere, so that it doesn't fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
