"""What a session shows: replies, at the pace of a person if wanted, and notes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

from selfchatbot.cli.shell import say
from selfchatbot.session.typing_pace import Pace

ERASE_LINE = "\r\x1b[K"


class Screen:
    """Writes to stdout, everything visible."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """Show one or several lines."""
        say(text)

    def note(self, text: str) -> None:
        """Show a line about the conversation, set apart from it."""
        self.say(f"[{text}]")

    def show_reply(self, messages: Iterable[str], on_message: Callable[[str], None] = lambda _: None) -> None:
        """Show each message as soon as it is complete, but not faster than the pace.

        ``on_message`` is called right before a message appears. Ctrl-C stops the reply; what was shown stays.
        """
        last = time.monotonic()
        shown = False
        try:
            self._show_typing()
            for message in messages:
                if self._pace:
                    time.sleep(max(0.0, last + self._pace.seconds(message) - time.monotonic()))
                self._hide_typing()
                on_message(message)
                self.say(message)
                self._show_typing()
                shown = True
                last = time.monotonic()
            self._hide_typing()
        except KeyboardInterrupt:
            self._hide_typing()
            self.say("...")
            return
        if not shown:
            self.note("no reply; /retry asks for another one")

    def _show_typing(self) -> None:
        if self._terminal:
            print("...", end="", flush=True)

    def _hide_typing(self) -> None:
        if self._terminal:
            print(ERASE_LINE, end="", flush=True)
