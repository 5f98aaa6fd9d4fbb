"""The terminal: commands, editing, stopping, faults. In a pipe, at a pseudo-terminal, and with keys of its own."""

import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import torch
from conftest import WORDS, Run, one_line_error

from selfchatbot.cli.session import session
from selfchatbot.cli.session.commands import HELP
from selfchatbot.cli.session.keyboard import Keyboard
from selfchatbot.cli.session.screen import Screen
from selfchatbot.cli.shell import printable
from selfchatbot.environment import Dataset
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.typing_pace import Pace, learned_pace

Talk = Callable[..., str]
ANSWER = {"role": "assistant", "content": WORDS}


@pytest.fixture(autouse=True)
def private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept in the user's folders stays in the test's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture
def talk(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    """A session whose lines come from a pipe; gives what was shown."""
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(dataset.results / "best", parameters, Machine("cpu", torch.float32))

    def talk(*lines: str | bytes, keep: bool = True, **changes: object) -> str:
        player.parameters = parameters.model_copy(update=changes)
        data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        session(lambda: player, dataset, dataset.results / "best", save=keep)
        return capsys.readouterr().out

    return talk


def kept(dataset: Dataset) -> list[list[dict[str, str]]]:
    """The conversations in the results folder, oldest first."""
    files = sorted((dataset.results / "sessions").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [conversation for path in files for conversation in read_conversations(path)]


def test_a_conversation_is_shown_and_kept(talk: Talk, dataset: Dataset) -> None:
    shown = talk("hey", "", "what about you?", "exit", "never read")
    assert shown.count(WORDS + "\n") == 2
    assert kept(dataset) == [[user("hey"), ANSWER, user("what about you?"), ANSWER]]
    line = json.loads(next((dataset.results / "sessions").iterdir()).read_text(encoding="utf-8"))
    assert set(line) == {"messages", "chat", "start", "contact"}
    assert datetime.fromisoformat(line["start"]) <= datetime.now()
    if os.name == "posix":
        assert (dataset.results / "sessions").stat().st_mode & 0o077 == 0


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_every_command_is_there_and_an_unknown_one_is_said(talk: Talk) -> None:
    shown = talk("/help", "/retri", "/zzz", "/exit", "never read")
    for name in HELP:
        assert name in shown
    assert "did you mean /retry?" in shown
    assert "there is no /zzz: /help lists all" in shown


def test_undo_retry_and_slashes(talk: Talk, dataset: Dataset) -> None:
    shown = talk("/undo", "/retry", "hey", "//shrug", "/undo", "/retry", "/ what", "/usr/bin is full")
    assert "nothing to take back" in shown
    assert "nothing to reply to yet" in shown
    assert kept(dataset)[-1] == [user("hey"), ANSWER, user("/ what"), ANSWER, user("/usr/bin is full"), ANSWER]
    talk("//shrug")
    assert kept(dataset)[-1] == [user("/shrug"), ANSWER]


def test_others_are_shown_and_picked(talk: Talk, dataset: Dataset) -> None:
    lively = {"temperature": 3.0, "seed": 4, "num_return_sequences": 4, "max_new_tokens": 30}
    shown = talk("hey", "/others", "/others 9", "/others x", "/others 2", "/others", **lively)
    listed = re.findall(r"^(?:> )?(\d): (.*)$", shown, re.MULTILINE)
    assert [number for number, _ in listed[:3]] == ["1", "2", "3"]
    assert "there are 3 others" in shown and "which one?" in shown
    said = kept(dataset)[-1][-1]["content"]
    assert printable(said.split("\n")[0]) == listed[1][1]
    # The first choice has changed places with it.
    assert listed[4][1] not in {text for _, text in listed[:3]}


@pytest.mark.parametrize("field", ["best_of", "num_return_sequences"])
def test_the_one_of_several_that_fits_best_is_said(talk: Talk, dataset: Dataset, field: str) -> None:
    lively = {"temperature": 3.0, "seed": 4, field: 5, "max_new_tokens": 30}
    talk("hey", **lively)
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(dataset.results / "best", parameters.model_copy(update=lively), Machine("cpu", torch.float32))
    replies = player.candidates([user("hey")], 5)
    assert kept(dataset)[-1][-1]["content"] == max(replies, key=lambda reply: reply.pmi).text
    assert len({reply.text for reply in replies}) == 5


def test_set_and_show(talk: Talk, dataset: Dataset) -> None:
    before = (dataset.results / "parameters.json").read_bytes()
    shown = talk("/set max_new_tokens 1", "hey", "/show", "/set temperature hot", "/set tmp 1", "/set model x", "/set")
    assert re.search(r"max_new_tokens +1\n", shown)
    assert len(kept(dataset)[-1][-1]["content"]) < 8
    assert 'key "temperature": found "hot"' in shown
    assert 'did you mean "' in shown or "known keys" in shown
    assert "can't change while the model is loaded" in shown
    assert (dataset.results / "parameters.json").read_bytes() == before


def test_edit_and_ratings_in_a_pipe(talk: Talk, dataset: Dataset) -> None:
    shown = talk("/edit too early", "hey", "/edit", "/edit well hello", "/good", "/bad", "sure")
    assert "there is no reply yet" in shown
    assert "/edit TEXT replaces" in shown
    pairs = [json.loads(line) for line in (dataset.results / "preferences.jsonl").read_text("utf-8").splitlines()]
    # Greedily it can only say the same again, which is better than the edited one.
    assert [pair["chosen"][0]["content"] for pair in pairs] == ["well hello", "well hello", WORDS]
    assert "1 preference saved" in shown


def test_save_and_load(talk: Talk, dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "my chat.jsonl"
    other = tmp_path / "other.jsonl"
    other.write_text('{"messages": 3}\n', encoding="utf-8")
    shown = talk("/save", f"/save {file}", "hey", f"/save {file}", "sure", f"/save {file}", f"/save {other}")
    assert "the conversation is empty" in shown and "exists already" in shown
    assert list(read_conversations(file)) == [[user("hey"), ANSWER, user("sure"), ANSWER]]
    nowhere = (tmp_path / "nothing", tmp_path, "~nosuch/x")
    shown = talk(f"/load {file}", "bye", f"/load {other}", *(f"/load {path}" for path in nowhere))
    assert "> sure\n" in shown
    assert kept(dataset)[-1] == [user("hey"), ANSWER, user("sure"), ANSWER, user("bye"), ANSWER]
    assert "other.jsonl, line 1" in shown
    assert shown.count("can't be read") == len(nowhere)
    assert "exists already" in talk("x", f"/save {file}")


def test_load_opens_the_last_session_and_clear_begins_anew(talk: Talk, dataset: Dataset) -> None:
    assert "there is no saved conversation" in talk("/load")
    talk("first")
    talk("/load", "second", "/clear", "third")
    assert kept(dataset) == [
        [user("first"), ANSWER],
        [user("first"), ANSWER, user("second"), ANSWER],
        [user("third"), ANSWER],
    ]


def test_nothing_is_kept_if_told_so(talk: Talk, dataset: Dataset, tmp_path: Path) -> None:
    assert WORDS in talk("hey", keep=False)
    assert not (dataset.results / "sessions").exists()
    assert not (tmp_path / "user").exists()


def test_as_a_contact(talk: Talk, dataset: Dataset) -> None:
    assert "does not know contacts" in talk("/as kai")
    path = dataset.preprocessed / "train.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line, name in zip(lines, ["kai", "Moss"] * len(lines), strict=False):
        line["messages"].insert(0, {"role": "system", "content": f"with {name}"})
        line["contact"] = name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shown = talk("/as", "/as jade", "/as moss", "hey", "/show")
    assert "who? there are: kai, Moss" in shown and "nobody is called jade?" in shown
    assert kept(dataset)[-1] == [{"role": "system", "content": "with Moss"}, user("hey"), ANSWER]
    assert re.search(r"you are +Moss", shown)
    transcripts = {name: path.parent / f"{name}.jsonl" for name in ("kai", "nobody")}
    for name, file in transcripts.items():
        system = [{"role": "system", "content": "with kai"}] if name == "kai" else []
        file.write_text(json.dumps({"messages": [*system, user("hey"), ANSWER]}) + "\n", encoding="utf-8")
    assert re.search(r"(?m)^you are +kai", talk("/as moss", f"/load {transcripts['kai']}", "/show"))
    assert not re.search(r"(?m)^you are ", talk("/as moss", f"/load {transcripts['nobody']}", "/show"))


def test_odd_input(talk: Talk, dataset: Dataset) -> None:
    """Bytes that are no text, a megabyte, a prompt that fills the window, control characters."""
    shown = talk(b"hey \xff\xfe there", "x" * 2**20, "what about you? " * 300, "\x1b[2J\x07")
    assert shown.count(WORDS + "\n") == 4
    assert "\x1b" not in shown
    assert "\ufffd" in kept(dataset)[-1][0]["content"]
    assert len(kept(dataset)[-1][2]["content"]) == 2**20
    assert printable("a\x1b[31m\x9bb\tc\n😀é") == "a\ufffd[31m\ufffdb\tc\n😀é"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions of POSIX, which root ignores")
def test_a_results_folder_that_is_read_only(talk: Talk, dataset: Dataset) -> None:
    dataset.results.chmod(0o500)
    try:
        check_unwritable(talk)
    finally:
        dataset.results.chmod(0o700)


def test_a_results_folder_that_cannot_be_written(talk: Talk, dataset: Dataset) -> None:
    """Files and folders in the places of those to be written stand in for a read-only folder: root may write there."""
    (dataset.results / "sessions").write_text("a file", encoding="utf-8")
    (dataset.results / "preferences.jsonl").mkdir()
    check_unwritable(talk)


def check_unwritable(talk: Talk) -> None:
    shown = talk("hey", "sure", "/edit no", "/good")
    assert shown.count("nothing is saved unless you /save") == 1
    assert shown.count("the rating is lost") == 2
    assert shown.count(WORDS) == 2


def test_a_checkpoint_that_is_replaced_while_it_plays(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    best = dataset.results / "best"
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(best, parameters, Machine("cpu", torch.float32))

    def lines() -> Iterator[str]:
        yield "hey\n"
        shutil.copytree(best, dataset.results / "new")
        shutil.rmtree(best)
        yield "sure\n"
        (dataset.results / "new").rename(best)
        yield "when?\n"

    class Typed(io.StringIO):
        source = lines()

        def readline(self, _size: int | None = -1) -> str:
            return next(self.source, "")

    monkeypatch.setattr("sys.stdin", Typed())
    session(lambda: player, dataset, best)
    shown = capsys.readouterr().out
    assert shown.count(WORDS) == 3
    assert shown.count("best/ has changed, but this is still the old model") == 2


def test_ctrl_c_stops_a_reply_and_keeps_what_was_said(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second bubble is interrupted while it is typed, by the pace."""
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(dataset.results / "best", parameters, Machine("cpu", torch.float32))
    monkeypatch.setattr("sys.stdin", io.StringIO("hey\nsure\n"))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("selfchatbot.cli.session.screen.time.sleep", sleep)
    session(lambda: player, dataset, dataset.results / "best", Pace(5, 0.01))
    first, second = WORDS.split("\n")
    assert kept(dataset)[-1] == [user("hey"), {"role": "assistant", "content": first}, user("sure"), ANSWER]
    shown = capsys.readouterr().out
    assert f"{first}\n...\n" in shown
    assert shown.count(second) == 1


def test_replies_come_at_my_pace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    monkeypatch.setattr("selfchatbot.cli.session.screen.time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("selfchatbot.cli.session.screen.time.sleep", sleep)
    Screen(Pace(1, 0.5)).show_reply(["four", "x" * 1000, "a"])
    assert now[0] == pytest.approx(100 + 3 + 8 + 1.5)


def test_my_pace_is_learned(dataset: Dataset) -> None:
    assert learned_pace(dataset) == Pace()
    summary = dataset.preprocessed / "summary.json"
    summary.write_text('{"pace": {"pause": 2.5, "seconds_per_character": 0.1}}', encoding="utf-8")
    assert learned_pace(dataset) == Pace(2.5, 0.1)
    summary.write_text('{"pace": {"pause": "quick"}}', encoding="utf-8")
    assert learned_pace(dataset) == Pace()


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


@pytest.fixture
def installed(environment: Path, talker: Path) -> Path:
    """The scripts' environment with the talker in it."""
    for stage in ("raw", "preprocessed", "results"):
        shutil.copytree(talker / stage, environment / stage, dirs_exist_ok=True)
    return environment


def test_a_message_that_is_being_shown_is_said(dataset: Dataset) -> None:
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(dataset.results / "best", parameters, Machine("cpu", torch.float32))
    dialogue = Dialogue(lambda: player, lambda *_: None)
    dialogue.say("hey")
    first = WORDS.split("\n")[0]
    for shown in (False, True):
        messages = dialogue.answer()
        assert next(messages) == first
        if shown:
            dialogue.mark_shown(first)
        messages.close()
        assert dialogue.last_reply == (first if shown else None)


class Terminal:
    """A script at a pseudo-terminal: what a person types, and what appears."""

    def __init__(self, folder: Path, *arguments: str, term: str = "xterm-256color") -> None:
        import pty

        self.master, slave = pty.openpty()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("selfChatBot_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "selfchatbot.cli.play", "-d", "1", *arguments],
            cwd=folder,
            env={**variables, "TERM": term, "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONUTF8": "1"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_controlled,  # noqa: PLW1509
        )
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Until ``text`` appears after what was waited for before."""
        until = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < until, f"no {text!r} in {self.shown!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
                except OSError:
                    raise AssertionError(f"it ended before {text!r}: {self.shown!r}") from None
        self.shown = self.shown.partition(text)[2]

    def ended(self, seconds: float = 60) -> int:
        """The exit code."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until
            try:
                if select.select([self.master], [], [], 0.2)[0]:
                    self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:
                time.sleep(0.1)
        return int(self.process.returncode)


def _controlled() -> None:
    """Make the terminal the one whose end is told by SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(installed: Path) -> Iterator[Callable[..., Terminal]]:
    pytest.importorskip("pty")
    terminals: list[Terminal] = []

    def start(*arguments: str, **options: str) -> Terminal:
        terminals.append(Terminal(installed, *arguments, **options))
        return terminals[-1]

    yield start
    for one in terminals:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def conversations(installed: Path) -> list[list[dict[str, str]]]:
    files = sorted((installed / "results").glob("*/sessions/*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [conversation for path in files for conversation in read_conversations(path)]


LAST = WORDS.split("\n")[1]


READY = "\x1b[?2004h"
"""The line editor switches bracketed paste on, then draws its prompt in pieces."""


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
        screen.process.wait(60)
        assert screen.process.returncode in (0, 128 + signal.SIGHUP)
    else:
        screen.process.send_signal(end)
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
    screen.process.send_signal(signal.SIGTERM)
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


def test_completion(talk: Talk, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from selfchatbot.cli.session.commands import Commands
    from selfchatbot.cli.session.completion import CommandCompleter

    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    player = Player(dataset.results / "best", parameters, Machine("cpu", torch.float32))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    commands = Commands(Dialogue(lambda: player, lambda *_: None), Screen(), Keyboard(dataset, False), dataset, False)
    line = {"messages": [{"role": "system", "content": "with Zoë"}, user("hey")], "contact": "Zoë"}
    (dataset.preprocessed / "train.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    monkeypatch.chdir(dataset.results)
    completer = CommandCompleter(lambda: commands)

    def completed(text: str) -> list[str]:
        return [found.text for found in completer.get_completions(Document(text), CompleteEvent())]

    assert completed("/re") == ["/retry"]
    assert len(completed("/")) == len(HELP)
    assert completed("/set top") == ["top_p", "top_k"]
    assert completed("/as z") == ["Zoë"]
    assert completed("/load be") == ["st"]
    assert completed("hey /re") == []
    assert completed("/re\n") == []


def test_who_leaves_before_the_model_is_there_does_not_wait(terminal: Callable[..., Terminal], installed: Path) -> None:
    """Which thread still runs then is chance; the end is the same."""
    for keys in ("exit\r", "\x04", "\x03"):
        screen = terminal("--engine", "transformers")
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
