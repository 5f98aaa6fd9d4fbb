"""A larger model as a judge: its scores, its controls, and the verdict."""

import math
import random
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from likeness_results import about, result, speaker
from tiny_models import save_tiny_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen3Config

from selfchatbot import models
from selfchatbot.likeness.measures.sense import Reader, ReaderMeasure, SenseMeasure, little_sense, preferred
from selfchatbot.likeness.measures.told_apart import told_apart
from selfchatbot.likeness.report.verdict import BLIND, NOT_MEASURED, verdict
from selfchatbot.likeness.run import judging
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import Answers, Context
from selfchatbot.likeness.run.judge_models import MAX_REPLY_TOKENS, load_judge, log_probabilities
from selfchatbot.likeness.run.judging import (
    Judged,
    Reading,
    before_contact,
    can_judge,
    exchanged,
    judge_replies,
    line,
    shuffled,
    transcript,
)
from selfchatbot.models import Machine, load_model, load_tokenizer
from selfchatbot.player.gguf_cache import checkpoint_gguf
from selfchatbot.statistics import bootstrap_groups

CPU = Machine("cpu", torch.float32)
REPLIES = ["i went hiking with my sister", "no idea\nask her", "pizza and a movie", "sure"]
CONTEXTS = [
    Context(
        [
            {"role": "system", "content": "This is a chat with Mia."},
            {"role": "user", "content": f"hey {number}"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "what did you do?\ntell me"},
        ],
        reply,
        number,
    )
    for number, reply in enumerate(REPLIES)
]
ANSWERS: Answers = {
    "me": REPLIES,
    "model": ["i went out", "no", "pizza", "sure thing"],
    "base": ["as a language model", "ok", "ok", "ok"],
    "control": ["and you?", "well", "tell me", "what?"],
}
HOT = ["what", "umbrella 7", "that is", "haha haha"]


@cache
def loaded(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return load_model(str(folder), torch.float32).eval(), load_tokenizer(str(folder))


def log_probability(folder: Path, prefix: str, text: str) -> tuple[float, int]:
    """Of ``text`` after ``prefix``, read as one sequence, in nats; and its tokens."""
    model, tokenizer = loaded(folder)
    start, end = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prefix, text))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([start + end])).logits[0].log_softmax(-1)
    return sum(float(logits[len(start) - 1 + place, token]) for place, token in enumerate(end)), len(end)


def test_scores_are_those_of_the_formula(tmp_path: Path) -> None:
    expert, amateur = save_tiny_model(tmp_path / "expert"), save_tiny_model(tmp_path / "amateur", spread=0.5)
    kept = Cache(tmp_path / "cache")
    steps: list[tuple[str, int, int]] = []

    def judged() -> dict[str, list[float]]:
        found = judge_replies(
            str(expert), CONTEXTS, ANSWERS, HOT, kept, CPU, 0, lambda *step: steps.append(step), str(amateur)
        )
        assert found.contexts == [0, 1, 2, 3]
        return {name: found.scores(name) for name in found.readings}

    scores = judged()
    assert steps[-1] == ("a small model reads", 4, 4)
    prefix = "A chat between two people, Sam and Alex.\n\nSam: hey 1\nAlex: hi\nSam: what did you do? / tell me\nAlex:"
    assert transcript(CONTEXTS[1].messages) == prefix
    before = prefix.removesuffix(" what did you do? / tell me\nAlex:")
    assert before_contact(CONTEXTS[1].messages) == before
    for name, prompt, text in (
        ("me", prefix, " no idea / ask her\n"),
        ("model", prefix, " no\n"),
        ("exchanged", prefix, " pizza and a movie\n"),
        ("hot", prefix, " umbrella 7\n"),
        ("control", before, " well\n"),
    ):
        large, tokens = log_probability(expert, prompt, text)
        small, _ = log_probability(amateur, prompt, text)
        assert scores[name][1] == pytest.approx((large - small) / math.sqrt(tokens), abs=1e-3)
    shutil.rmtree(expert)  # what is known is not computed again
    assert judged() == scores


def test_a_gguf_file_says_the_same_as_the_folder_it_is_from(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    folder = save_tiny_model(tmp_path / "expert", positions=1024, spread=0.3)
    file = checkpoint_gguf(folder, quantization="f32")
    by_torch, by_llamacpp = (load_judge(str(path), CPU) for path in (folder, file))
    assert type(by_llamacpp) is not type(by_torch)
    replies = [line(text) for text in (*REPLIES, "ok 😀🎉", "how are you? " * 60, "<|im_end|> né")]
    long = [{"role": "user", "content": "what about you? " * 400}]
    for messages, read in ((CONTEXTS[0].messages, replies), (long, replies[:2])):
        sums, tokens = log_probabilities(by_torch, transcript(messages), read)
        twins, same_tokens = log_probabilities(by_llamacpp, transcript(messages), read)
        assert same_tokens == tokens and (max(tokens) == MAX_REPLY_TOKENS) == (read is replies)
        assert [twin / count for twin, count in zip(twins, tokens, strict=True)] == pytest.approx(
            [one / count for one, count in zip(sums, tokens, strict=True)], abs=0.02
        )


def test_the_sense_of_a_reply_is_its_place_among_mine() -> None:
    mine = [Reading(-30 + score, -30, 1) for score in range(4)]
    model = [Reading(-30 + score, -30, 1) for score in (-1, 0.5, 2, 9)]
    judged = Judged("judge", [3, 5, 7, 9], {"me": mine, "model": model})
    assert [judged.sense("model", context) for context in (3, 5, 7, 9)] == [0, 0.25, 0.625, 1]
    assert sum(judged.sense("me", context) or 0 for context in judged.contexts) / 4 == 0.5
    assert judged.sense("model", 4) is None


def test_a_base_model_can_judge_where_it_is_large(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "AMATEUR", str(tiny_model))
    for layers, large in ((6, False), (28, True)):
        sizes = {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": layers, "vocab_size": 151936}
        folder = tiny_model.parent / f"layers-{layers}"
        Qwen3Config(num_attention_heads=16, num_key_value_heads=8, tie_word_embeddings=True, **sizes).save_pretrained(
            folder
        )
        assert can_judge(str(folder)) is large
    monkeypatch.setitem(models.EMBEDDED, "absent", ("no-such-distribution", "no-such-file"))
    monkeypatch.setattr(judging, "AMATEUR", "absent")
    assert not can_judge(str(folder))


def test_controls_are_my_words_in_other_places() -> None:
    assert exchanged(CONTEXTS, 1 / 2) == [*REPLIES[2:], *REPLIES[:2]]
    assert exchanged(CONTEXTS[:2], 1 / 3) == exchanged(CONTEXTS[:2], 2 / 3) == [REPLIES[1], REPLIES[0]]
    mixed = shuffled(REPLIES, 0)
    assert mixed != REPLIES
    assert [sorted(reply.split()) for reply in mixed] == [sorted(reply.split()) for reply in REPLIES]
    assert [reply.count("\n") for reply in mixed] == [reply.count("\n") for reply in REPLIES]
    assert line("a\nb") == " a / b\n"


def test_the_share_of_places_that_are_preferred() -> None:
    rng = random.Random(0)
    mine = [rng.random() for _ in range(200)]
    conversations = [number // 10 for number in range(200)]
    assert preferred(mine, mine, conversations, 0).value == 0.5
    worse = preferred([score - 0.5 for score in mine], mine, conversations, 0)
    assert worse.value == 0 and worse.high < 0.1
    other = preferred([rng.random() for _ in mine], mine, conversations, 0)
    assert other.low < 0.5 < other.high


def readings(rng: random.Random, shift: float) -> list[Reading]:
    return [Reading(-30 + shift + rng.gauss(0, 3), -40 + rng.gauss(0, 3), 9) for _ in range(200)]


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.4, 0.6), (-6.0, 0.85, 1.0), (6.0, 0.85, 1.0)])
def test_replies_are_told_by_the_judge_when_it_dislikes_or_prefers_them(shift: float, low: float, high: float) -> None:
    rng = random.Random(1)
    groups = bootstrap_groups([number // 10 for number in range(200)])
    found = told_apart(readings(rng, 0.0), readings(rng, shift), groups, 0)
    assert low <= found.auc.value <= high
    assert found.pairs is not None and low <= found.pairs.value <= high


def with_judge(model: float, shuffled: float = 0.1) -> str:
    """The verdict about a model that the judge prefers this often."""
    controls = {"exchanged": about(0.35), "shuffled": about(shuffled), "hot": about(0.05)}
    reader = Reader(judge="judge", contexts=60, controls=controls, sees=shuffled < 0.47)
    made = result().model_copy(update={"reader": reader})
    speakers = {**made.speakers, "model": speaker("model", sense=about(model))}
    return verdict(made.model_copy(update={"speakers": speakers}))


def test_the_verdict_begins_with_sense() -> None:
    assert verdict(result()).count(NOT_MEASURED) == 1
    nonsense = (
        "Many of its replies make no sense: a judge, which is a larger model, prefers them to yours 2 of 10 times"
    )
    assert with_judge(0.2).startswith(nonsense)
    assert "wording" not in with_judge(0.2) and "Its wording is closer" in with_judge(0.4)
    assert with_judge(0.4).startswith("Its replies make less sense than yours")
    assert with_judge(0.5).startswith("Its replies make about as much sense as yours")
    assert NOT_MEASURED not in with_judge(0.5)


def test_a_blind_judge_has_no_say() -> None:
    said = with_judge(0.5, shuffled=0.49)
    assert said.startswith(f"{BLIND} The judge judge can't tell sense from nonsense")
    assert "as much sense" not in said and "wording" not in said


def test_advice_for_sense() -> None:
    def advice(model: float, **parameters: float) -> str | None:
        return little_sense({"model": about(model)}, result(parameters=parameters).run)

    assert advice(0.45, temperature=0.4, guidance=0.5) is None
    assert "temperature of 0.4" in str(advice(0.2, temperature=1.0, guidance=0.5))
    assert "`guidance` 0.5" in str(advice(0.2, temperature=0.4, guidance=0.0))
    assert "larger base model" in str(advice(0.2, temperature=0.4, guidance=0.5))


def test_nothing_is_shown_without_a_judge() -> None:
    assert not result().findings(SenseMeasure()) and result().findings(ReaderMeasure()) is None
