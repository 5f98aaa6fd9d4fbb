"""What the scripts write is for its owner only, and nothing of it is left half-written."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from conftest import Run, edit_settings
from script_runner import start_script
from web_server import ask, completion_body

from selfchatbot.session.transcripts import TranscriptWriter

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
DATASET = "Dataset_1_Zoë"
NO_PROCESS = 2**30
USER = [{"role": "user", "content": "hey"}]


@pytest.fixture
def own_folders(environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Everything that the scripts write to; files would be readable by everybody."""
    folders = [environment / name for name in ("preprocessed", "results", "cache", "data")]
    for variable, folder in (("XDG_CACHE_HOME", folders[2]), ("XDG_DATA_HOME", folders[3])):
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.setenv("MPLCONFIGDIR", str(environment / "fonts"))  # matplotlib's own list of them
    before = os.umask(0o022)
    yield folders
    os.umask(before)


def readable_by_others(folders: list[Path]) -> list[str]:
    """What is below ``folders`` and open to others."""
    return [
        f"{stat.S_IMODE(path.stat().st_mode):o} {path}"
        for folder in folders
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    ]


def exports(folder: Path, model: Path) -> None:
    (folder / "JSONL").mkdir(parents=True)
    chat = [
        {"role": "user", "content": "how are you doing?"},
        {"role": "assistant", "content": "good, what about you?"},
    ]
    lines = [
        json.dumps({"messages": chat * 3, "chat": "c", "start": f"2024-01-{n + 1:02d}T10:00:00"}) for n in range(30)
    ]
    (folder / "JSONL" / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    training = {"epochs": 0.5, "evaluations_per_epoch": 1, "learning_rate": 0.001}
    values = {"model": str(model), "max_length": 128, "test_fraction": 0.4, "training": training}
    (folder / "parameters.json").write_text(json.dumps(values), encoding="utf-8")


def use_the_page(environment: Path) -> None:
    """A reply and a guess, as the page of ``-t web`` asks for them."""
    with start_script("play", ["-d", "1", "-t", "web", "--port", "0"], folder=environment) as process:
        address = process.first_line().split()[4].rstrip("/")
        assert ask(address, "/v1/chat/completions", completion_body(max_tokens=4))[0] == 200
        status, _, content = ask(address, "/game/round", b"{}")
        assert status == 200, content
        guess = json.dumps({"id": json.loads(content)["id"], "side": "a"}).encode()
        assert ask(address, "/game/guess", guess)[0] == 200
        process.signal(signal.SIGINT)
        done = process.done(60)
    assert done.returncode == 0, done.stderr


@pytest.mark.training
def test_everything_that_is_written_is_private(
    environment: Path, own_folders: list[Path], run: Run, tiny_model: Path
) -> None:
    exports(environment / "raw" / DATASET, tiny_model)
    results = environment / "results" / DATASET
    commands: list[tuple[str, ...]] = [
        ("preprocess",),
        ("train",),
        ("play", "-t", "prompt", "-p", "hey"),
        ("play", "-t", "session", "--engine", "transformers"),
        ("play", "-t", "game", "--rounds", "1", "--engine", "transformers"),
        ("play", "-t", "export"),
        ("play", "-t", "evaluate", "--contexts", "20"),
    ]
    for script, *arguments in commands:
        typed = "a\n" if "game" in arguments else f"hey\n/edit ho\n/save {environment / 'data' / 'saved.jsonl'}\n"
        done = run(script, "-d", "1", *arguments, input=typed)
        assert done.returncode == 0, (script, arguments, done.stderr)
        if script == "train":
            edit_settings(results, max_new_tokens=8)  # an evaluation asks for nearly 200 replies
    (results / "game.jsonl").unlink()
    use_the_page(environment)
    names = {path.name for folder in own_folders for path in folder.rglob("*")}
    expected = {
        "train.jsonl",
        "summary.json",
        "report.md",
        "preferences.jsonl",
        "game.jsonl",
        "likeness.html",
        "saved.jsonl",
    }
    assert expected <= names and any(name.endswith(".gguf") for name in names)
    assert readable_by_others(own_folders) == []
    # Killed while they were writing, earlier runs have left something in every folder.
    folders = {path.parent for folder in own_folders[:2] for path in folder.rglob("*.json*")} & {
        environment / "preprocessed" / DATASET, results, results / "sessions", results / "likeness"
    }  # fmt: skip
    assert len(folders) == 4
    for folder in folders:
        (folder / f".a.partial-{NO_PROCESS}").write_text("half")
    for script, *arguments in [commands[0], commands[2]]:
        assert run(script, "-d", "1", *arguments).returncode == 0
    assert [path for folder in own_folders for path in folder.rglob(".*.partial-*")] == []


def test_sessions_of_the_same_second_have_files_of_their_own(tmp_path: Path) -> None:
    writers = [TranscriptWriter(tmp_path / "sessions") for _ in range(4)]
    for writer in writers:
        writer.start = datetime(2026, 1, 1)
    for number, writer in enumerate(writers):
        writer.write([{"role": "user", "content": f"hey {number}"}])
    texts = [path.read_text(encoding="utf-8") for path in sorted((tmp_path / "sessions").iterdir())]
    assert [sum(f"hey {number}" in text for text in texts) for number in range(4)] == [1, 1, 1, 1]


def test_a_conversation_that_was_taken_back_leaves_no_file(tmp_path: Path) -> None:
    writer = TranscriptWriter(tmp_path)
    writer.write(USER)
    other = TranscriptWriter(tmp_path)
    assert other.latest() is not None
    writer.write([])
    assert list(tmp_path.iterdir()) == []
    writer.write(USER)
    (tmp_path / "9999.jsonl").touch()  # another session is about to write its first turn
    assert other.latest() != tmp_path / "9999.jsonl" and writer.latest() is None


TERMINATED = """
import os, signal, sys

def terminate(event, arguments):
    if event == "open" and ".partial-" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGTERM)

sys.addaudithook(terminate)
from selfchatbot.cli import scripts
scripts.preprocess()
"""


def test_nothing_half_written_is_left_after_a_kill(
    environment: Path, own_folders: list[Path], tiny_model: Path
) -> None:
    exports(environment / "raw" / DATASET, tiny_model)
    command = [sys.executable, "-c", TERMINATED, "-d", "1"]
    done = subprocess.run(command, cwd=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert [path for path in (environment / "preprocessed").rglob("*") if path.is_file()] == []
