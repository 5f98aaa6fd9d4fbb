"""A reply holds my words only, and ends: models that were taught to speak for others and without end are cut."""

from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from conftest import make_talker
from hypothesis import given
from hypothesis import strategies as st

from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.player.engines.protocol import Sampling, Token
from selfchatbot.player.reply.messages import split_messages
from selfchatbot.player.reply.truncation import Truncator

CPU = Machine("cpu", torch.float32)
QUESTION = [{"role": "user", "content": "how are you doing today? 3 1"}]
GROUP = [{"role": "user", "content": "kai: how are you doing today? 3 0\nmoss: how are you doing today? 3 1"}]
MARKS = {"<|im_end|>", "[user]", "Them:"}


def saying(folder: Path, base: Path, reply: str, **changes: object) -> Player:
    parameters = read_parameters(make_talker(folder, base, reply) / "parameters.json", GenerationParameters)
    return Player(folder / "best", parameters.model_copy(update={"no_repeat_ngram_size": 0, **changes}), CPU)


def test_a_model_driven_to_repeat_itself_ends(made_base: Path, tmp_path: Path) -> None:
    player = saying(tmp_path, made_base, "haha yeah\n" * 2)
    assert player.reply(QUESTION) == "\n".join(["haha yeah"] * 3)
    assert [reply.text for reply in player.candidates(QUESTION, 2)] == ["\n".join(["haha yeah"] * 3)] * 2
    assert list(split_messages(player.stream(QUESTION))) == ["haha yeah"] * 3


def test_a_loop_makes_a_reply_fit_no_better(tiny_model: Path) -> None:
    player = Player(tiny_model, GenerationParameters(model=str(tiny_model)), CPU)
    words = player.chat_format.turn("haha yeah see you")[:-1]

    class Looping:
        window = 512

        def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
            for number in range(len(words) * 10):
                for candidate in range(count):
                    yield Token(candidate, words[number % len(words)], -3.0 if number < len(words) else -0.01)

        def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
            assert continuations == [words, words]
            return [-4.0 * len(words), -5.0 * len(words)]

    player._engine = Looping()
    best, other = player.candidates(QUESTION, 2)
    assert best.text == other.text == "haha yeah see you"
    assert best.pmi == pytest.approx(2 * len(words) ** 0.5)
    assert other.pmi == pytest.approx(1 * len(words) ** 0.5)


def test_a_model_that_never_ends_is_cut(made_base: Path, tmp_path: Path) -> None:
    player = saying(tmp_path, made_base, "ok" + " so nice" * 3, max_new_tokens=400, max_length=512)
    chunks = list(player.chunks(QUESTION))
    assert "".join(chunk.text for chunk in chunks).startswith("ok so nice so nice so nice so nice")
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].tokens < 200


def test_a_model_that_speaks_for_others_is_cut(made_base: Path, tmp_path: Path) -> None:
    player = saying(tmp_path, made_base, "haha yeah\nkai: see you later\nthat is so nice")
    assert player.reply(GROUP) == "haha yeah"
    assert "".join(player.stream(GROUP)) == "haha yeah"
    assert player.candidates(GROUP, 1)[0].text == "haha yeah"
    # Nobody is called kai here, as far as the conversation tells; the dataset may know better.
    assert "kai: see you" in player.reply(QUESTION)
    player.contact_names = frozenset({"kai"})
    assert player.reply(QUESTION) == "haha yeah"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok\nmoss: no", "ok"),
        ("moss: no", ""),
        ("ok<|im_end|>\nmore", "ok"),
        ("ok [user] hi", "ok"),
        ("ok\nThem:\nhi", "ok"),
        ("I told Them: no", "I told Them: no"),
        ("no\nno\nno\nno\nno", "no\nno\nno"),
        ("no\nno\nno\nyes", "no\nno\nno\nyes"),
        ("moss is here", "moss is here"),
        ("note: 3 < 4", "note: 3 < 4"),
    ],
)
def test_what_is_cut(text: str, expected: str) -> None:
    assert Truncator(MARKS, GROUP)(text)[0] == expected


def test_a_colon_in_a_message_makes_nobody_a_speaker() -> None:
    cut = Truncator(MARKS, [{"role": "user", "content": "note: bring an umbrella"}])
    assert cut("note: I have one")[0] == "note: I have one"


@given(st.lists(st.sampled_from(["moss:", "moss", " ", "\n", "<|im_end|>", "<|im", "Them:", "Them", "no\n", "a"])))
def test_what_was_shown_is_never_taken_back(parts: list[str]) -> None:
    """Character by character, each text that is shown continues the one before, up to the whole reply."""
    cut = Truncator(MARKS, GROUP)
    text = "".join(parts).strip()
    shown = ""
    for length in range(1, len(text) + 1):
        now, ended = cut(text[:length].strip(), finished=False)
        assert now[: len(shown)] == shown[: len(now)]
        shown = max(shown, now, key=len)
        if ended:
            break
    whole, _ = cut(text)
    assert whole.startswith(shown.rstrip()) or shown.startswith(whole)
    assert "<|im_end|>" not in whole and "moss:" not in [line.strip()[:5] for line in whole.split("\n")]


def test_bubbles_come_when_they_are_finished() -> None:
    made: list[str] = []

    def pieces() -> object:
        for piece in ("he", "y\n", "\nwhat", "'s up\nbye"):
            made.append(piece)
            yield piece

    shown = split_messages(pieces())  # type: ignore[arg-type]
    assert next(shown) == "hey"
    assert made == ["he", "y\n"]
    assert list(shown) == ["what's up", "bye"]
