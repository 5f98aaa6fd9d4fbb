"""A session as a process, at a pseudo-terminal or in a pipe: keys, signals, a closed terminal, a lost reader."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS, Run, one_line_error
from script_runner import FORKS, Forked, start_script

from selfchatbot.messages import read_conversations

ANSWER = {"role": "assistant", "content": WORDS}
LAST = WORDS.split("\n")[1]
READY = "\x1b[?2004h"
"""The line editor turns on bracketed paste, then draws its prompt in several parts."""


@pytest.fixture(autouse=True)
def private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the user's folders stay in the test's folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.fixture
def installed(environment: Path, talker: Path) -> Path:
    """The scripts' environment with the talker in it."""
    for stage in ("raw", "preprocessed", "results"):
        shutil.copytree(talker / stage, environment / stage, dirs_exist_ok=True)
    return environment


def test_a_session_ends_cleanly_whatever_happens_to_its_output(installed: Path, run: Run) -> None:
    done = run("play", "-d", "1", input=b"hey \xff\n".decode("utf-8", "surrogateescape"), errors="surrogateescape")
    assert done.returncode == 0, done.stderr
    assert WORDS in done.stdout
    done = run("play", "-d", "1", "-t", "prompt", "-p", "hey \udcff")
    assert done.returncode == 0 and WORDS in done.stdout, done.stderr
    command = [sys.executable, "-m", "selfchatbot.cli.play", "-d", "1"]
    # Nobody reads: the pipe is closed after the first line.
    with subprocess.Popen(
        command, cwd=installed, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"hey\nsure\nsure\n")
        process.stdin.close()
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read().decode()
        assert "Traceback" not in error and "error" not in error.lower(), error
    assert process.returncode == 141
    files = sorted((installed / "results").glob("*/sessions/*.jsonl"))
    assert all(next(read_conversations(file))[0]["role"] == "user" for file in files)
    shutil.rmtree(next((installed / "results").iterdir()) / "best")
    assert "run selfChatBot_train" in one_line_error(run("play", "-d", "1"), 1)


class Terminal:
    """A script at a pseudo-terminal: what a person types, and what appears."""

    def __init__(self, folder: Path, *arguments: str, term: str = "xterm-256color", fresh: bool = not FORKS) -> None:
        """``fresh``: it imports everything itself, as for a user."""
        import pty

        self.master, self._slave = pty.openpty()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("selfChatBot_")}
        variables |= {"TERM": term, "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONUTF8": "1"}
        options = ["-d", "1", *arguments]
        self._process: subprocess.Popen[bytes] | Forked
        if fresh:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "selfchatbot.cli.play", *options],
                cwd=folder,
                env=variables,
                stdin=self._slave,
                stdout=self._slave,
                stderr=self._slave,
                start_new_session=True,
                preexec_fn=_controlled,  # noqa: PLW1509
            )
        else:
            terminal = os.ttyname(self._slave)
            self._process = start_script("play", options, folder=folder, variables=variables, terminal=terminal)
        self.shown = ""

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.process.exitcode if isinstance(self._process, Forked) else self._process.poll()

    def signal(self, number: int) -> None:
        if isinstance(self._process, Forked):
            self._process.signal(number)
        else:
            self._process.send_signal(number)

    def close(self) -> None:
        """End it if it still runs."""
        if self.code is None:
            self.signal(signal.SIGKILL)
        with self._process:
            os.close(self._slave)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Until ``text`` appears after what was waited for before."""
        until = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < until, f"no {text!r} in {self.shown!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
            else:
                assert self.code is None, f"it ended before {text!r}: {self.shown!r}"
        self.shown = self.shown.partition(text)[2]

    def ended(self, seconds: float = 60) -> int:
        """The exit code."""
        until = time.monotonic() + seconds
        while (code := self.code) is None or select.select([self.master], [], [], 0)[0]:
            assert time.monotonic() < until
            if select.select([self.master], [], [], 0.05)[0]:
                self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
        return code


def _controlled() -> None:
    """Make the terminal the one whose end is told by SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(installed: Path) -> Iterator[Callable[..., Terminal]]:
    pytest.importorskip("pty")
    terminals: list[Terminal] = []

    def start(*arguments: str, **options: Any) -> Terminal:
        terminals.append(Terminal(installed, *arguments, **options))
        return terminals[-1]

    yield start
    for one in terminals:
        one.close()


def conversations(installed: Path) -> list[list[dict[str, str]]]:
    files = sorted((installed / "results").glob("*/sessions/*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [conversation for path in files for conversation in read_conversations(path)]


def test_at_a_terminal(terminal: Callable[..., Terminal], installed: Path, tmp_path: Path) -> None:
    screen = terminal()
    screen.wait_for(READY)
    screen.type("hey\x1b\rhow are you\r")  # Alt-Enter, then Enter
    screen.wait_for(LAST)
    screen.wait_for(READY)
    screen.type("\x1b[200~two\nlines\x1b[201~\r")  # a paste
    screen.wait_for(LAST)
    screen.wait_for(READY)
    screen.type("/retr")
    screen.wait_for("another reply")  # the menu
    screen.type("\t")
    screen.wait_for("y")
    screen.type("\r")
    screen.wait_for(LAST)
    screen.wait_for(READY)
    screen.type("/edit\r")
    screen.wait_for(READY)  # the reply, to be edited
    screen.type("!\r")
    screen.wait_for("1 preference saved")
    screen.wait_for(READY)
    screen.type("thrown away\x03")
    screen.wait_for(READY)
    screen.type("\x03")
    screen.wait_for("Ctrl-C again to leave")
    screen.wait_for(READY)
    screen.type("\x03")
    assert screen.ended() == 0
    assert "Traceback" not in screen.shown
    assert conversations(installed)[-1] == [
        *(user("hey\nhow are you"), ANSWER, user("two\nlines")),
        {"role": "assistant", "content": f"{WORDS}!"},
    ]
    (history,) = (tmp_path / "user" / "selfchatbot" / "history").iterdir()
    assert "+how are you" in history.read_text(encoding="utf-8")
    assert "thrown away" not in history.read_text(encoding="utf-8")
    assert history.stat().st_mode & 0o077 == 0
    # The next session remembers what was typed: above the edited reply (two lines), /edit and /retry.
    screen = terminal()
    screen.wait_for(READY)
    screen.type("\x1b[A" * 5 + "\r")
    screen.wait_for(LAST)
    screen.wait_for(READY)
    screen.type("exit\r")
    assert screen.ended() == 0
    assert conversations(installed)[-1] in ([user("two\nlines"), ANSWER], [user("hey\nhow are you"), ANSWER])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, "closed"])
def test_a_session_that_is_ended_from_outside(
    terminal: Callable[..., Terminal], installed: Path, end: signal.Signals | str
) -> None:
    screen = terminal()
    screen.wait_for(READY)
    screen.type("hey\r")
    screen.wait_for(LAST)
    screen.wait_for(READY)
    if isinstance(end, str):
        os.close(screen.master)
        until = time.monotonic() + 60
        while screen.code is None and time.monotonic() < until:
            time.sleep(0.05)
        assert screen.code in (0, 128 + signal.SIGHUP)
    else:
        screen.signal(end)
        assert screen.ended() == 128 + end
        assert "Traceback" not in screen.shown and "rror" not in screen.shown
    assert conversations(installed) == [[user("hey"), ANSWER]]


def test_sigterm_during_a_reply_keeps_what_was_said(terminal: Callable[..., Terminal], installed: Path) -> None:
    summary = next((installed / "preprocessed").iterdir()) / "summary.json"
    summary.write_text('{"pace": {"pause": 0, "seconds_per_character": 0.2}}', encoding="utf-8")
    screen = terminal("--pace")
    screen.wait_for(READY)
    screen.type("hey\r")
    screen.wait_for(WORDS.split("\n")[0])
    screen.signal(signal.SIGTERM)
    assert screen.ended() == 143
    assert conversations(installed) == [[user("hey"), {"role": "assistant", "content": WORDS.split("\n")[0]}]]


def test_a_dumb_terminal(terminal: Callable[..., Terminal], installed: Path) -> None:
    screen = terminal(term="dumb")
    screen.wait_for("> ")
    screen.type("hey\n")
    screen.wait_for(LAST)
    screen.type("exit\n")
    assert screen.ended() == 0
    assert "\x1b" not in screen.shown
    assert conversations(installed) == [[user("hey"), ANSWER]]


def test_who_leaves_before_the_model_is_there_does_not_wait(terminal: Callable[..., Terminal], installed: Path) -> None:
    """Which thread still runs then is chance; the end is the same."""
    for keys in ("exit\r", "\x04", "\x03"):
        screen = terminal("--engine", "transformers", fresh=True)
        screen.wait_for(READY)
        screen.type(keys)
        if keys == "\x03":
            screen.wait_for("again to leave")
            screen.wait_for(READY)
            screen.type(keys)
        assert screen.ended() == 0
        assert "Traceback" not in screen.shown and "rror" not in screen.shown
    assert conversations(installed) == []


def test_a_model_that_can_not_be_loaded_ends_the_session(terminal: Callable[..., Terminal], installed: Path) -> None:
    (weights,) = (installed / "results").glob("*/best/*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    screen = terminal()
    screen.wait_for("error: ")
    assert screen.ended() == 1
    assert "best is damaged" in screen.shown and "train again" in screen.shown and "Traceback" not in screen.shown
