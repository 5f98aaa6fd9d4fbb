"""The line editor of a session, with keys from a pipe."""

import threading
import time
from collections.abc import Iterator

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from selfchatbot.cli.session import keyboard
from selfchatbot.cli.session.keyboard import Keyboard


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def typed(pipe: PipeInput, keys: str) -> str:
    """The message that the editor gives for these keys."""
    editor = Keyboard.__new__(Keyboard)
    editor.commands = None
    threading.Thread(target=pipe.send_text, args=(keys,), daemon=True).start()  # a pipe holds less than a book
    return Keyboard._new_editor(editor, None).prompt()


def test_keys_and_pastes(pipe: PipeInput) -> None:
    assert typed(pipe, "hey\x1b\ryou\r") == "hey\nyou"
    assert typed(pipe, "\x1b[200~two\r\nlines\x1b[201~!\r") == "two\nlines!"
    text = "a line that is pasted in a terminal without bracketed paste"
    assert typed(pipe, f"{text}\x7f\r") == text[:-1]


@pytest.mark.parametrize("begun", ["", "\x1b[200~"])
def test_a_book_does_not_fill_the_memory(pipe: PipeInput, monkeypatch: pytest.MonkeyPatch, begun: str) -> None:
    monkeypatch.setattr(keyboard, "MAX_TYPED", 2_000)
    started = time.monotonic()
    ended = "\x1b[201~" if begun else ""
    assert typed(pipe, begun + "word " * 20_000 + ended + "more\r") == "word " * 400
    assert time.monotonic() - started < 20
