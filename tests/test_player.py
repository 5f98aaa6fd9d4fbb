"""Replies: clean text, repeatable with a seed, within the window."""

from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from conftest import WORDS, make_talker

from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.protocol import Sampling, Token
from selfchatbot.player.reply.draft import Draft

CPU = Machine("cpu", torch.float32)
QUESTION = [{"role": "user", "content": "how are you doing today? 3 1"}]


@pytest.fixture(scope="module")
def results(made_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that says one sentence."""
    return make_talker(tmp_path_factory.mktemp("player"), made_base)


def player(results: Path, **changes: object) -> Player:
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    settings = {"temperature": 0.0, "repetition_penalty": 1.0, "guidance": 0.0, "max_new_tokens": 60, **changes}
    return Player(results / "best", parameters.model_copy(update=settings), CPU)


def test_it_says_its_words(results: Path) -> None:
    assert player(results).reply(QUESTION) == WORDS


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        ("haha", WORDS.removeprefix("haha")),
        ("haha ", WORDS.removeprefix("haha ")),
        ("haha yeah", WORDS.removeprefix("haha yeah")),
        ("haha yeah\n", WORDS.removeprefix("haha yeah\n")),
        ("haha yeah\nit's raining again, don't forget", " 😀"),
    ],
)
def test_words_of_mine_go_on(results: Path, begun: str, rest: str) -> None:
    talker = player(results)
    messages = [{"role": "user", "content": "how are you doing today?"}, {"role": "assistant", "content": begun}]
    assert talker.reply(messages) == rest
    assert [one.text for one in talker.candidates(messages, 1)] == [rest]


def test_the_stream_is_the_reply(results: Path) -> None:
    pieces = list(player(results).stream(QUESTION))
    assert "".join(pieces) == WORDS
    assert len(pieces) > 3


def test_a_stream_can_be_stopped(results: Path) -> None:
    speaker = player(results)
    stream = speaker.stream(QUESTION)
    first = next(stream)
    stream.close()
    assert WORDS.startswith(first)
    assert speaker.reply(QUESTION) == WORDS


def test_several_answers(results: Path) -> None:
    answers = player(results, temperature=3.0, seed=1).replies(QUESTION, 4)
    assert len(answers) == 4
    assert len(set(answers)) > 1
    for answer in answers:
        assert "<|" not in answer
        assert answer == answer.strip()
        assert answer


@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "You are Zoë."}]])
def test_what_fits_best_comes_first(
    results: Path, system: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what one sequence after the other says: with the conversation, and without all but its system message."""
    speaker = player(results, temperature=3.0, seed=1)
    model = load_checkpoint(results / "best", speaker.parameters, CPU).model
    chat_format, chat = speaker.chat_format, system + QUESTION
    made: dict[int, list[int]] = {}
    generate = speaker._engine.generate

    def recorded(prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        for token in generate(prompt, sampling, count):
            made.setdefault(token.candidate, []).append(token.id)
            yield token

    monkeypatch.setattr(speaker._engine, "generate", recorded)
    drawn = speaker.candidates(chat, 6)

    def log_probability(prompt: list[int], reply: list[int]) -> float:
        logits = model(torch.tensor([prompt + reply])).logits[0].log_softmax(-1)
        return sum(logits[len(prompt) + place - 1, token].item() for place, token in enumerate(reply))

    scores = {
        number: (log_probability(speaker.prompt(chat), ids) - log_probability(speaker.prompt(system), ids))
        / len(ids) ** 0.5
        for number, ids in made.items()
    }
    assert [one.pmi for one in drawn] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-3)
    assert len(set(scores.values())) > 2
    best = made[max(scores, key=scores.__getitem__)]
    assert chat_format.reply([token for token in best if token != chat_format.end]).startswith(drawn[0].text)
    assert player(results, temperature=3.0, seed=1, best_of=6).reply(chat) == drawn[0].text
    assert player(results, temperature=3.0, seed=1, best_of=6).replies(chat, 2) == [one.text for one in drawn[:2]]
    assert player(results, temperature=3.0, seed=1).replies(chat, 6) == [one.text for one in drawn]


def test_the_best_is_said_as_a_whole_and_can_be_stopped(results: Path) -> None:
    speaker = player(results, temperature=3.0, seed=1, best_of=3)
    chunks = list(speaker.chunks(QUESTION, 2))
    said = [chunk for chunk in chunks if chunk.text]
    assert [chunk.candidate for chunk in said] == [0, 1] and all(chunk.finish_reason for chunk in said)
    assert [chunk for chunk in chunks if chunk.finish_reason] == said
    speaker = player(results, temperature=3.0, seed=1, best_of=3)
    stopped = speaker.chunks(QUESTION, 2)
    assert next(stopped).tokens == 1  # of the first token, long before all are done
    stopped.close()
    assert speaker.reply(QUESTION)


def test_where_nothing_was_said_the_first_candidate_is_as_good(results: Path) -> None:
    speaker = player(results, temperature=3.0, seed=1)
    drawn = speaker.candidates([], 3)
    assert [one.pmi for one in drawn] == [0, 0, 0]


def test_a_seed_makes_replies_repeatable(results: Path) -> None:
    first, again, other = (player(results, temperature=3.0, seed=seed).replies(QUESTION, 3) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_an_untrained_model_shows_no_special_token_and_is_never_empty(tiny_model: Path) -> None:
    parameters = GenerationParameters(model=str(tiny_model), max_length=256, temperature=2.0, max_new_tokens=40, seed=3)
    for reply in Player(tiny_model, parameters, CPU).replies(QUESTION, 16):
        assert reply
        assert "<|" not in reply


def test_long_conversations_fit_the_window(results: Path) -> None:
    chat = [*QUESTION, {"role": "assistant", "content": "haha yeah"}] * 40 + QUESTION
    assert player(results).reply(chat)
    assert player(results).reply([{"role": "user", "content": "what about you? " * 400}])


def test_it_can_open_a_conversation(results: Path) -> None:
    assert player(results).reply([])


def test_the_final_checkpoint_and_a_moved_folder_play_too(results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    (results / "final").rename(moved)
    try:
        parameters = read_parameters(results / "parameters.json", GenerationParameters)
        assert Player(moved, parameters, CPU).reply(QUESTION)
        assert Player(moved, machine=CPU).reply(QUESTION)
    finally:
        moved.rename(results / "final")


def test_damaged_checkpoints_are_said(results: Path, tmp_path: Path) -> None:
    import shutil

    with pytest.raises(SelfChatBotError, match="no checkpoint"):
        Player(tmp_path, machine=CPU)
    for file in ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json"):
        copy = tmp_path / file
        shutil.copytree(results / "best", copy)
        (copy / file).write_bytes((copy / file).read_bytes()[:100])
        with pytest.raises(SelfChatBotError, match=r"damaged|can't be loaded") as raised:
            player_of = read_parameters(results / "parameters.json", GenerationParameters)
            Player(copy, player_of, CPU)
        assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text_leave_what_is_shown() -> None:
    """As a tokenizer with tokens for bytes has it: an invalid byte makes all bytes beside it invalid."""
    from tokenizers import Tokenizer, decoders, models

    vocabulary = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "a": 257}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokens = [257, *(byte + 1 for byte in "😀é".encode()), 0xC3 + 1, 257, 257]
    draft = Draft(0)
    shown = [draft.show(tokenizer.decode(tokens[:size])).text for size in range(1, len(tokens) + 1)]
    assert shown == ["a", "", "", "", "😀", "", "é", "", "a", "a"]
