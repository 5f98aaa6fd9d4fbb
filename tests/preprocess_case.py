"""A preprocessed dataset to be damaged, and what a run that fails must leave and say.

Each time: one line on stderr, no traceback, the right exit code, and what was there before is still there.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SAMPLE
from script_runner import run_script

NAME = "Dataset_1_Zoë the 2nd"
SCRIPT = Path(sys.executable).with_name("selfChatBot_preprocess.exe" if os.name == "nt" else "selfChatBot_preprocess")
CHAT = "Direct Messages - gale.816 [922a405f].txt"


def command(*arguments: str) -> list[str]:
    return [str(SCRIPT), *arguments]


def variables(**values: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("selfChatBot_", "SELFCHATBOT"))}
    return {**mine, "PYTHONUTF8": "1", **values}


def run(environment: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    """What the script says in that folder."""
    return run_script("preprocess", arguments, environment, variables(**values))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


class Case:
    """A dataset that was preprocessed, and what it looks like since."""

    def __init__(self, environment: Path) -> None:
        self.environment = environment
        self.raw = environment / "raw" / NAME
        self.format = self.raw / "DiscordChatExporter"
        self.chat = self.format / CHAT
        self.output = environment / "preprocessed" / NAME

    def preprocess(self) -> None:
        """By the installed script."""
        done = subprocess.run(
            command("-d", "1"),
            cwd=self.environment,
            env=variables(),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.before = snapshot(self.environment / "preprocessed")
        assert any(name.endswith("train.jsonl") for name in self.before)

    def fails(self, code: int, *said: str, arguments: tuple[str, ...] = ("-d", "1"), **values: str) -> None:
        self.failed(run(self.environment, *arguments, **values), code, *said)

    def failed(self, done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
        assert done.returncode == code, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.endswith("\n") and "Traceback" not in done.stderr
        for words in said:
            assert words in done.stderr, (words, done.stderr)
        assert snapshot(self.environment / "preprocessed") == self.before

    def parameters(self, text: str | bytes | None = None, **values: object) -> None:
        path = self.raw / "parameters.json"
        if text is None:
            known = {"model": "gpt2", "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}}}
            text = json.dumps({key: value for key, value in {**known, **values}.items() if value is not None})
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One chat of the sample, preprocessed."""
    folder = tmp_path_factory.mktemp("preprocessed")
    stages = ("raw", "preprocessed", "results")
    (folder / ".env").write_text("".join(f"selfChatBot_{stage}={stage}\n" for stage in stages), encoding="utf-8")
    case = Case(folder)
    case.format.mkdir(parents=True)
    shutil.copy(SAMPLE / "DiscordChatExporter" / CHAT, case.chat)
    case.parameters()
    case.preprocess()
    return case


@pytest.fixture
def case(preprocessed: Case, tmp_path: Path) -> Case:
    """A copy of it, to be damaged."""
    case = Case(tmp_path / "copy")
    shutil.copytree(preprocessed.environment, case.environment)
    case.before = preprocessed.before
    return case


def grow(case: Case, times: int) -> None:
    """A chat that is so many times as long."""
    text = case.chat.read_text(encoding="utf-8")
    start, end = text.index("["), text.rindex("\n\n\n=") + 3
    case.chat.write_text(text[:start] + text[start:end] * times, encoding="utf-8")
