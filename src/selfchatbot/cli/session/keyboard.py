"""What is typed in a session: with editing, history and completion at a terminal, or plain lines from a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.environment import Dataset
from selfchatbot.session.transcripts import history_file

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPress

    from selfchatbot.cli.session.commands import Commands

PROMPT = "> "
MAX_HISTORY_BYTES = 2**20
MAX_TYPED = 10_000
"""Characters of a message at a terminal, more than most windows hold: the editor draws all of it at each key."""
PASTED_KEYS = 32
"""Characters that arrive at once: nobody types that fast. Key by key, the editor would need minutes and gigabytes for a
book that is pasted in a terminal without bracketed paste."""


class Keyboard:
    """Reads messages. ``commands`` are completed, once they are set; ``history`` keeps what is typed on the disk."""

    def __init__(self, dataset: Dataset, history: bool) -> None:
        self.commands: Commands | None = None
        self._editor: PromptSession[str] | None = None
        self._editing = False
        self._leaving: BaseException | None = None
        tolerant_stdin()
        if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
            self._editor = self._new_editor(_history(dataset.folder) if history else None)

    @property
    def can_edit(self) -> bool:
        """Whether `read` can offer a text to edit."""
        return self._editor is not None

    @property
    def typed(self) -> bool:
        """Whether the line was not empty when Ctrl-C was pressed."""
        return bool(self._editor and self._editor.default_buffer.text)

    def read(self, default: str = "") -> str:
        """One message; at a terminal it may have several lines. Raises EOFError and KeyboardInterrupt."""
        if self._leaving:
            raise self._leaving
        if self._editor is None:
            return input(PROMPT)
        from prompt_toolkit.patch_stdout import patch_stdout

        self._editing = True
        try:
            with patch_stdout():  # log lines while the model is being loaded go above the prompt
                return self._editor.prompt(PROMPT, default=default, pre_run=self._leave_editor)
        finally:
            self._editing = False
            if self._leaving:
                raise self._leaving

    def leave(self, reason: BaseException) -> bool:
        """Make `read` raise ``reason``, in its own thread and not within the editor's event loop. From any thread.

        Returns False if no message is being read. The caller should raise it then; `read` raises it later in any case,
        because Python drops exceptions in some places (in a destructor).
        """
        self._leaving = reason
        if self._editor is None or not self._editing:
            return False
        if (loop := self._editor.app.loop) is not None:
            with suppress(RuntimeError):  # the loop has just ended: read() is about to raise it
                loop.call_soon_threadsafe(self._leave_editor)
        return True

    def _leave_editor(self) -> None:
        if self._leaving and self._editor and not self._editor.app.is_done:
            self._editor.app.exit(exception=EOFError())

    def _new_editor(self, history: History | None) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.application import get_app_session
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.history import InMemoryHistory

        from selfchatbot.cli.session.completion import CommandCompleter

        editor: PromptSession[str] = PromptSession(
            multiline=True,
            prompt_continuation="  ",
            input=_with_pastes(get_app_session().input, lambda: len(editor.default_buffer.text) >= MAX_TYPED),
            key_bindings=_keys(),
            history=history or InMemoryHistory(),
            rprompt=lambda: f"at most {MAX_TYPED:,} characters" if len(editor.default_buffer.text) >= MAX_TYPED else "",
            completer=CommandCompleter(lambda: self.commands),
            complete_while_typing=Condition(lambda: editor.default_buffer.text.startswith("/")),
            reserve_space_for_menu=4,
        )
        return editor


def tolerant_stdin() -> None:
    """Replace bytes from stdin that are not text instead of failing: a pipe may bring any bytes."""
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")


def _with_pastes(keyboard: Input, full: Callable[[], bool]) -> Input:
    """``keyboard``, with the characters that arrive at once as one paste; none if there is no room for it."""
    from prompt_toolkit.key_binding import KeyPress
    from prompt_toolkit.keys import Keys

    read_keys = keyboard.read_keys

    def read() -> list[KeyPress]:
        keys: list[KeyPress] = []
        for typed, group in groupby(read_keys(), key=lambda press: not isinstance(press.key, Keys)):
            run = list(group)
            if not typed or len(run) < PASTED_KEYS:
                keys += run
            elif not full():
                keys.append(KeyPress(Keys.BracketedPaste, "".join(press.data for press in run)))
        return keys

    keyboard.read_keys = read  # type: ignore[method-assign]
    return keyboard


def _keys() -> KeyBindings:
    """Enter sends, Alt-Enter (or Esc, then Enter) starts a new line; pasted lines stay one message.

    What would make it longer than ``MAX_TYPED`` is dropped.
    """
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    keys = KeyBindings()

    @keys.add(Keys.Any, filter=Condition(lambda: len(get_app().current_buffer.text) >= MAX_TYPED))
    def full(event: Any) -> None:
        event.app.output.bell()

    @keys.add(Keys.BracketedPaste)
    def paste(event: Any) -> None:
        buffer = event.current_buffer
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        buffer.insert_text(text[: max(0, MAX_TYPED - len(buffer.text))])

    @keys.add("enter")
    def send(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _history(name: str) -> History | None:
    """What was typed in earlier sessions with this dataset, in a private file; None if there can't be one."""
    from prompt_toolkit.history import FileHistory

    path = history_file(name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        _shorten(path)
        return FileHistory(path)
    return None


def _shorten(path: Path) -> None:
    """Drop the older half of a history longer than ``MAX_HISTORY_BYTES``."""
    if path.stat().st_size > MAX_HISTORY_BYTES:
        text = path.read_bytes()[-MAX_HISTORY_BYTES // 2 :]
        path.write_bytes(text[text.find(b"\n\n#") + 1 :])
