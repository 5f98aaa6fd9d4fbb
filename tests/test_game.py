"""Me or model: rounds from the test split, scores, and the game in a pipe."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import WORDS, Run, one_line_error

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.session.game import Game
from selfchatbot.statistics import wilson


@pytest.fixture
def new_game(dataset: Dataset) -> Callable[..., Game]:
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    lively = parameters.model_copy(update={"temperature": 3.0, "guidance": 0.0, "seed": 1, "max_new_tokens": 30})
    player = Player(dataset.results / "best", lively, Machine("cpu", torch.float32))
    return lambda seed=1: Game(player, dataset.preprocessed, dataset.results, "best", seed)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_the_literature(right: int, total: int, low: float, high: float) -> None:
    assert wilson(right, total) == pytest.approx((low, high), abs=5e-5)
    assert wilson(total - right, total) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_no_guess_tells_nothing() -> None:
    assert wilson(0, 0) == (0, 1)


def test_a_round_is_a_real_reply_of_the_test_split_beside_another(
    new_game: Callable[..., Game], dataset: Dataset
) -> None:
    test = list(read_conversations(dataset.preprocessed / "test.jsonl"))
    rounds = list(new_game().rounds())
    assert rounds
    for this in rounds:
        conversation = test[this.conversation - 1]
        assert this.context == conversation[: this.turn]
        assert this.context[-1]["role"] == "user"
        assert (this.a if this.real == "a" else this.b) == WORDS
        assert this.a != this.b
    assert len({(this.conversation, this.turn) for this in rounds}) == len(rounds)


def test_sides_are_tossed(new_game: Callable[..., Game]) -> None:
    sides = {this.real for seed in range(6) for this in new_game(seed).rounds()}
    assert sides == {"a", "b"}


def test_guesses_are_kept_without_words(new_game: Callable[..., Game], dataset: Dataset) -> None:
    game = new_game()
    this = next(game.rounds())
    assert game.guess(this, this.real)
    assert str(game.score()).startswith("1 of 1 right (100%): that may as well be luck")
    assert "between 21% and 100%" in str(game.score())
    path = dataset.results / "game.jsonl"
    text = path.read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["right"] is True and record["checkpoint"] == "best" and record["guess"] == this.real
    assert "haha" not in text and "today" not in text
    path.write_text(text + "{torn", encoding="utf-8")
    again = new_game()
    assert again.total_score().guesses == 1
    assert again.score().guesses == 0
    # What was guessed once comes after everything else.
    assert [(one.conversation, one.turn) for one in again.rounds()][-1] == (this.conversation, this.turn)


def test_nothing_to_guess_is_said(new_game: Callable[..., Game], dataset: Dataset) -> None:
    (dataset.preprocessed / "test.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(SelfChatBotError, match="no reply of yours"):
        new_game()
    (dataset.preprocessed / "test.jsonl").unlink()
    with pytest.raises(SelfChatBotError, match="run selfChatBot_preprocess"):
        new_game()


def test_a_game_in_a_pipe(run: Run, environment: Path, dataset: Dataset) -> None:
    for stage in ("raw", "preprocessed", "results"):
        shutil.copytree(dataset.environment.raw.parent / stage, environment / stage, dirs_exist_ok=True)
    settings = environment / "results" / dataset.folder / "parameters.json"
    values = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(
        json.dumps({**values, "temperature": 3.0, "guidance": 0.0, "seed": 2, "max_new_tokens": 30}), encoding="utf-8"
    )
    done = run("play", "-d", "1", "-t", "game", "--rounds", "2", input="what?\na\ns\nB\nnever read\n")
    assert done.returncode == 0, done.stderr
    assert "of 2 right" in done.stdout
    assert "This game: " in done.stdout and "Tossing a coin gets 50%" in done.stdout
    assert len(re.findall(r"(?:Right|Wrong): [AB] was real", done.stdout)) == 2
    records = (environment / "results" / dataset.folder / "game.jsonl").read_text(encoding="utf-8").splitlines()
    guesses = [json.loads(line) for line in records]
    assert [record["guess"] for record in guesses] == ["a", "b"]
    right = sum(record["right"] for record in guesses)
    low, high = wilson(right, 2)
    assert f"between {math.floor(low * 100 + 0.5)}% and {math.floor(high * 100 + 0.5)}%" in done.stdout
    done = run("play", "-d", "1", "-t", "game", input="")  # the end of the pipe
    assert done.returncode == 0, done.stderr
    assert "no guess" in done.stdout
    (environment / "preprocessed" / dataset.folder / "test.jsonl").unlink()
    assert "test.jsonl" in one_line_error(run("play", "-d", "1", "-t", "game"), 1)
    assert "--rounds" in one_line_error(run("play", "-d", "1", "-t", "game", "--rounds", "0"), 2)
