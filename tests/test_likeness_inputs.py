"""What an evaluation computes with: likelihoods, probes and their controls, the base model's prompt, kept pieces."""

import random
from pathlib import Path

import pytest
import torch
from likeness_learned import CPU
from tiny_models import TEMPLATES, tiny_tokenizer

from selfchatbot.chat_format import IGNORED, ChatFormat, Window
from selfchatbot.errors import UsageError
from selfchatbot.likeness.measures.probes import Controls, read_probes
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.inputs import ProbeLine
from selfchatbot.likeness.run.replies import few_shot_prompt
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.likelihood import continuation_log_probabilities, window_log_probability


@pytest.mark.parametrize("fixture", ["tiny_model", "tiny_base_model"])
def test_likelihoods_are_those_of_one_sequence_after_the_other(fixture: str, request: pytest.FixtureRequest) -> None:
    model = load_checkpoint(request.getfixturevalue(fixture), None, CPU).model
    continuations = [[5, 6, 7], [300], [9] * 12, list(range(20, 45))]

    def alone(ids: list[int], first: int) -> float:
        logits = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
        return sum(logits[place - 1, ids[place]].item() for place in range(first, len(ids)))

    for prompt in ([8], [8, 30, 31, 99]):
        found = continuation_log_probabilities(model, prompt, continuations)
        assert found == pytest.approx([alone([*prompt, *ids], len(prompt)) for ids in continuations], abs=1e-3)
    ids = list(range(40, 60))
    labels = [IGNORED] * 15 + ids[15:]
    assert window_log_probability(model, Window(ids, labels)) == pytest.approx(alone(ids, 15), abs=1e-3)


def test_controls_have_the_shape_of_the_line() -> None:
    controls = Controls(tiny_tokenizer())
    line = "Hey Xanthippe, CALL me: 555-0177 вова 李四!"
    made = [controls.like(line, random.Random(seed)) for seed in range(20)]
    assert made == [controls.like(line, random.Random(seed)) for seed in range(20)]
    assert len(set(made)) == 20
    for one in made:
        assert len(one) == len(line)
        for own, other in zip(line, one, strict=True):
            assert (own.isalpha(), own.isdecimal(), own.isupper()) == (
                other.isalpha(),
                other.isdecimal(),
                other.isupper(),
            )
            assert own == other or own.isalnum()


def test_probes_are_read_by_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeffAnna\n\n  Jörg Müller \n", encoding="utf-8")
    assert read_probes(path) == [ProbeLine(1, "Anna"), ProbeLine(3, "Jörg Müller")]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_probes(path)
    path.write_text(" \n", encoding="utf-8")
    with pytest.raises(UsageError, match="empty"):
        read_probes(path)


@pytest.mark.parametrize("template", ["chatml", "strict"])
def test_the_base_model_is_shown_my_messages(template: str) -> None:
    """Also where a template has no place for a system message, and the conversation is longer than what is read."""
    chat_format = ChatFormat(tiny_tokenizer(TEMPLATES[template]))
    long = [{"role": role, "content": f"haha yeah {n}"} for n in range(60) for role in ("user", "assistant")][:-1]
    for context in ([], [{"role": "user", "content": "hey"}], long):
        text = chat_format.tokenizer.decode(few_shot_prompt(chat_format, context, 10_000, ["MINE one", "MINE two"]))
        assert "MINE one\nMINE two" in text
        if context:
            assert context[-1]["content"] in text
    shown = [f"{n} " + "word " * 20 for n in range(12)]
    assert len(few_shot_prompt(chat_format, [], 10_000, shown)) < 600


def test_a_cache_keeps_what_is_done(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kept")
    done: list[int] = []

    def slow(piece: int, bad: int | None = None) -> list[float]:
        if piece == bad:
            raise KeyboardInterrupt
        done.append(piece)
        return [piece / 3]

    with pytest.raises(KeyboardInterrupt):
        cache.computed("work", {"seed": 1}, range(5), lambda piece: slow(piece, 3))

    def watched(piece: int) -> list[float]:
        (path,) = (tmp_path / "kept").iterdir()
        assert path.read_text(encoding="utf-8").count("\n") == piece, "a kill here would lose what is done"
        return slow(piece)

    assert cache.computed("work", {"seed": 1}, range(5), watched) == [[piece / 3] for piece in range(5)]
    assert done == [0, 1, 2, 3, 4]
    cache.computed("work", {"seed": 2}, range(5), slow)
    assert len(done) == 10
