"""A session in this process whose lines come from a pipe, and what it keeps."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import WORDS

from selfchatbot.cli.session import session
from selfchatbot.environment import Dataset
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player

Talk = Callable[..., str]
ANSWER = {"role": "assistant", "content": WORDS}


def load_talker(talker: Path) -> Player:
    (results,) = (talker / "results").iterdir()
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    return Player(results / "best", parameters, Machine("cpu", torch.float32))


def session_in_a_pipe(
    dataset: Dataset, player: Player, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Talk:
    """A session whose lines come from a pipe; gives what was shown."""
    parameters = player.parameters

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


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}
