"""``--events``: what a stage does, told to the program that started it, such as the page of ``-t web``.

Each line of stdout is a JSON object. Its "event" is

- ``doing``: what the stage does now, in the few words ("text") that a terminal shows beside a spinner
- ``line``: a line ("text") that a terminal would show
- ``progress``: the numbers of a progress bar
- ``samples``: "step" and "samples", each with "question", "mine" and "answer"
- ``who``: "format", its "app" and the "senders" there, with the number of their messages, if nobody knows which of
  them I am

An error is a line on stderr, as without ``--events``. When stdin is closed, the stage stops as after Ctrl-C: the other
program wants that, or has ended.
"""

import _thread
import json
import math
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from rich.console import RenderableType
from rich.status import Status

from selfchatbot.cli.console import Console
from selfchatbot.display import visible


def consoles(events: bool, quiet: bool = False) -> tuple[Console, Console]:
    """Where results go and where progress goes: stdout and stderr, or with ``events`` the same for both."""
    if not events:
        return Console(), Console(stderr=True, quiet=quiet)
    threading.Thread(target=_stop_when_stdin_closes, name="stdin", daemon=True).start()
    console = EventConsole()
    return console, console


class EventConsole(Console):
    """Writes events in place of what a terminal would show."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def send(self, event: str, **values: Any) -> None:
        with suppress(OSError):  # the program has ended: this one saves and stops, see above
            print(json.dumps({"event": event, **_plain(values)}), flush=True)

    def print(self, *objects: Any, **options: Any) -> None:
        for text in objects:
            if isinstance(text, str):
                self.send("line", text=text.strip("\n"))

    def status(self, status: RenderableType, **options: Any) -> Status:
        self.send("doing", text=str(status))
        return _EventStatus(self, str(status))


class _EventStatus(Status):
    def __init__(self, console: EventConsole, text: str) -> None:
        super().__init__(text, console=console)
        self._events = console

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        self._events.send("doing", text=str(status))


def _plain(value: Any) -> Any:
    """``value`` for any reader of JSON: numbers that are none become null, and text is visible.

    Keys stay as they are, as names of people: the program gives one of them back.
    """
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return visible(value) if isinstance(value, str) else value


def _stop_when_stdin_closes() -> None:
    # Not through sys.stdin: its lock would be held at exit.
    with suppress(OSError):
        while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 4096):
            pass
    _thread.interrupt_main(signal.SIGINT)
