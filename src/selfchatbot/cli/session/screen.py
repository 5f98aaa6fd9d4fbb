"""What is typed and what is shown: a terminal with editing, history and completion, a dumb one, or a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.cli.shell import printable
from selfchatbot.environment import Dataset
from selfchatbot.session.typing_pace import Pace

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings

    from selfchatbot.cli.session.commands import Commands

PROMPT = "> "
ERASE = "\r\x1b[K"


class Screen:
    """Shows replies and notes on stdout, in characters that can't command a terminal."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """A line, or several."""
        print(printable(text), flush=True)

    def note(self, text: str) -> None:
        """A line about the conversation, apart from it; an empty one is none."""
        if text:
            self.say(f"[{text}]")

    def show_reply(self, messages: Iterable[str], showing: Callable[[str], None] = lambda _: None) -> None:
        """Each message when it is finished, not faster than the pace; Ctrl-C stops and leaves what was shown.

        ``showing`` is told of each right before it appears.
        """
        last = time.monotonic()
        shown = False
        try:
            self._typing()
            for message in messages:
                if self._pace:
                    time.sleep(max(0.0, last + self._pace.seconds(message) - time.monotonic()))
                self._erase()
                showing(message)
                self.say(message)
                self._typing()
                shown = True
                last = time.monotonic()
            self._erase()
        except KeyboardInterrupt:
            self._erase()
            self.say("...")
            return
        if not shown:
            self.note("no reply; /retry asks for one again")

    def _typing(self) -> None:
        if self._terminal:
            print("...", end="", flush=True)

    def _erase(self) -> None:
        if self._terminal:
            print(ERASE, end="", flush=True)


class Asker:
    """Reads what is typed. ``commands`` complete it."""

    def __init__(self, dataset: Dataset, keep: bool) -> None:
        self.commands: Commands | None = None
        self._session: PromptSession[str] | None = None
        self._editing = False
        self._leaving: BaseException | None = None
        for stream in (sys.stdin,):
            if hasattr(stream, "reconfigure"):
                # What a pipe brings may be any bytes.
                stream.reconfigure(errors="replace")
        if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
            self._session = self._editor(_history(dataset.folder) if keep else None)

    @property
    def edits(self) -> bool:
        """Whether a text can be given to edit."""
        return self._session is not None

    @property
    def typed(self) -> bool:
        """Whether something stood in the line when Ctrl-C was pressed."""
        return bool(self._session and self._session.default_buffer.text)

    def ask(self, default: str = "") -> str:
        """One message, which may have several lines at a terminal. Raises EOFError and KeyboardInterrupt."""
        if self._leaving:
            raise self._leaving
        if self._session is None:
            return input(PROMPT)
        from prompt_toolkit.patch_stdout import patch_stdout

        self._editing = True
        try:
            with patch_stdout():  # what is said while the model is loaded goes above the prompt
                return self._session.prompt(PROMPT, default=default, pre_run=self._leave_editor)
        finally:
            self._editing = False
            if self._leaving:
                raise self._leaving

    def leave(self, reason: BaseException) -> bool:
        """Raise ``reason`` where a message is awaited, not from within the editor's loop; False when none is.

        Then whoever calls raises it; where Python drops an exception (in a destructor), it comes with the next message.
        From any thread.
        """
        self._leaving = reason
        if self._session is None or not self._editing:
            return False
        if (loop := self._session.app.loop) is not None:
            with suppress(RuntimeError):  # the loop has just ended: ask() goes on, and raises it
                loop.call_soon_threadsafe(self._leave_editor)
        return True

    def _leave_editor(self) -> None:
        if self._leaving and self._session and not self._session.app.is_done:
            self._session.app.exit(exception=EOFError())

    def _editor(self, history: History | None) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.history import InMemoryHistory

        from selfchatbot.cli.session.completion import CommandCompleter

        editor: PromptSession[str] = PromptSession(
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_keys(),
            history=history or InMemoryHistory(),
            completer=CommandCompleter(lambda: self.commands),
            complete_while_typing=Condition(lambda: editor.default_buffer.text.startswith("/")),
            reserve_space_for_menu=4,
        )
        return editor


def _keys() -> KeyBindings:
    """Enter sends, Alt-Enter (or Esc and Enter) makes a new line; pasted lines stay one message."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _history(name: str) -> History | None:
    """What was typed in former sessions with this dataset, in a file for its owner only; None where none can be."""
    from platformdirs import user_data_path
    from prompt_toolkit.history import FileHistory

    folder = user_data_path("selfchatbot", appauthor=False) / "history"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / name
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        _shorten(path)
        return FileHistory(path)
    return None


def _shorten(path: Path, most: int = 2**20) -> None:
    """Let go of the older half of a long history."""
    if path.stat().st_size > most:
        text = path.read_bytes()[-most // 2 :]
        path.write_bytes(text[text.find(b"\n\n#") + 1 :])
