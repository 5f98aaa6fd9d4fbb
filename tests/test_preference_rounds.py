"""Preference rounds: pairs, their gradient, and runs with them."""

import json
import math
import random
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from conftest import write_training_data
from test_resume import records, same, train

from selfchatbot.chat_format import ChatFormat
from selfchatbot.environment import PREFERENCES_FILE
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine, load_model, load_tokenizer
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.session.preferences import add_preferences
from selfchatbot.trainer.dry_run import dry_run
from selfchatbot.trainer.memory_estimate import MemoryPlan
from selfchatbot.trainer.metrics import best_validation
from selfchatbot.trainer.preference_pairs import Pair, Replies
from selfchatbot.trainer.preference_round import (
    BETA,
    SUPERVISED,
    PreferenceRound,
    log_probabilities,
    pair_accuracy,
)
from selfchatbot.trainer.result import MOST_LOSS, Result, RoundEnd
from selfchatbot.trainer.resume import Checkpoints
from selfchatbot.trainer.signals import Stopped
from selfchatbot.trainer.updates import Updates

CPU = Machine("cpu", torch.float32)
WORDS = "haha yeah sure maybe ok cool nice food rain umbrella later seven eight good thanks"


def write_varied_data(folder: Path, model: Path, **parameters: object) -> Path:
    """Training data in which my reply follows from the question: it repeats its words."""
    write_training_data(folder, model, **{"type_fine_tune": "fine_tune", "samples": 0} | parameters)
    chance = random.Random(0)
    for name, count in (("train", 12), ("validation", 4)):
        lines = []
        for _ in range(count):
            messages = []
            for _ in range(4):
                words = " ".join(chance.sample(WORDS.split(), chance.randint(1, 4)))
                messages += [{"role": "user", "content": f"say {words}"}, {"role": "assistant", "content": words}]
            lines.append(json.dumps({"messages": messages}) + "\n")
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def data(tiny_model: Path, tmp_path: Path) -> Path:
    return write_varied_data(tmp_path / "data", tiny_model, epochs=1, preference_rounds=2)


@pytest.fixture
def chat_format(tiny_model: Path) -> ChatFormat:
    return ChatFormat(load_tokenizer(str(tiny_model)))


def updates_of(model: torch.nn.Module, micro_tokens: int = 100) -> Updates:
    memory = MemoryPlan(micro_tokens=micro_tokens, gradient_checkpointing=False, needed=0, available=2**40)
    return Updates(model, TrainingParameters(model="m", max_grad_norm=1e9), memory, CPU, Accelerator(cpu=True))


def test_the_gradient_is_that_of_dpo(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    """Against the definition, by autograd, one sequence at a time, all logits."""
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 10)
    model = load_model(str(tiny_model), torch.float32)
    updates = updates_of(model)
    reference = log_probabilities(updates, pairs, 128)
    with torch.no_grad():  # so that the model is no longer the reference
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))

    def log_probability(pair: Pair, reply: object) -> torch.Tensor:
        ids = torch.tensor([[*pair.prompt, *reply]])
        start = len(pair.prompt)
        scores = model(input_ids=ids).logits[0].log_softmax(-1)
        return scores[start - 1 : -1].gather(1, ids[0, start:, None]).sum()

    better = torch.stack([log_probability(pair, pair.chosen) for pair in pairs])
    worse = torch.stack([log_probability(pair, pair.rejected) for pair in pairs])
    margins = (better - reference[:, 0]) - (worse - reference[:, 1])
    preference_loss = -torch.nn.functional.logsigmoid(BETA * margins).mean()
    supervised = -better.sum() / sum(len(pair.chosen) for pair in pairs)
    (preference_loss + SUPERVISED * supervised).backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()

    step = PreferenceRound(updates, pairs, reference.tolist(), 128).gradients(0)
    assert step.preference_loss == pytest.approx(preference_loss.item(), rel=1e-4)
    assert step.loss == pytest.approx(supervised.item(), rel=1e-4)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


def test_it_learns_to_prefer(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 48)
    updates = updates_of(load_model(str(tiny_model), torch.float32), 1000)
    before = pair_accuracy(updates, pairs, 128)
    one = PreferenceRound(updates, pairs, log_probabilities(updates, pairs, 128).tolist(), 128)
    assert one.steps == 3
    first = one.gradients(0)
    assert first.preference_loss == pytest.approx(math.log(2), abs=1e-3)  # nothing has risen yet
    for step in range(60):
        one.gradients(step % one.steps)
        updates.apply(0.01)
    assert pair_accuracy(updates, pairs, 128) > before
    last = one.gradients(0)
    assert last.accuracy > 0.7
    assert last.preference_loss < first.preference_loss - 0.05


def test_pairs_are_found_again(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    """However micro-batches are cut, each score is that of its reply."""
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 5)
    updates = updates_of(load_model(str(tiny_model), torch.float32))

    def scores(some: list[Pair]) -> torch.Tensor:
        return log_probabilities(updates, some, 128)

    torch.testing.assert_close(scores(pairs), torch.cat([scores([pair]) for pair in pairs]), rtol=1e-5, atol=1e-5)


def test_a_run_with_rounds(data: Path, tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": "say food"}]
    (tmp_path / "out").mkdir()
    add_preferences(tmp_path / "out" / PREFERENCES_FILE, prompt, "food", ["rain", "umbrella"])
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    estimate = dry_run(parameters, data, tmp_path / "out", CPU)
    assert estimate.rounds == (4, 4)  # 48 replies and 2 ratings, 16 a step
    assert "then     4 and 4 steps in preference rounds, about 1 minute of the time" in str(estimate)
    train(data, tmp_path / "out")
    log = (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")
    assert "preference rounds: 2, each with 48 pairs of your replies and 2 pairs that you rated in sessions" in log
    assert log.count("; validation loss ") == 2
    found = records(tmp_path / "out")
    supervised = [record for record in found if "loss" in record and "preference_loss" not in record]
    rounds = [record for record in found if "preference_loss" in record]
    last = supervised[-1]["step"]
    assert last == estimate.steps
    assert [record["step"] for record in rounds] == list(range(last + 1, last + 9))
    ends = [record for record in found if "preference_round" in record]
    assert [(end["step"], end["preference_round"], end["epoch"]) for end in ends] == [
        (last + 4, 1, 1),
        (last + 8, 2, 1),
    ]
    assert all(0 <= end["pair_accuracy"] <= 1 for end in ends)
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "preference round 2, pair accuracy" in report
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_ratings_make_a_difference(data: Path, tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": "say food"}]
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    add_preferences(tmp_path / "with" / PREFERENCES_FILE, prompt, "food", ["rain"])
    for name in ("without", "with"):
        train(data, tmp_path / name)
    without, rated = (
        [record.get("preference_loss") for record in records(tmp_path / name) if "loss" in record]
        for name in ("without", "with")
    )
    assert without != rated


@pytest.mark.parametrize("method", ["lora", "fine_tune"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(method: str, data: Path, tmp_path: Path) -> None:
    options = {"type_fine_tune": method, "lora_dropout": 0.3}
    for name in ("undisturbed", "stopped"):
        (tmp_path / name).mkdir()
        ratings = tmp_path / name / PREFERENCES_FILE
        add_preferences(ratings, [{"role": "user", "content": "say food"}], "food", ["rain"])
    train(data, tmp_path / "undisturbed", **options)
    steps = [record["step"] for record in records(tmp_path / "undisturbed") if "loss" in record][-1]
    # At the end of supervised training, in the first round, at its end, in the second one.
    for stop_at in (steps - 8, steps - 6, steps - 4, steps - 1):
        with pytest.raises(Stopped, match=f"stopped after step {stop_at};.*resumes from there"):
            train(data, tmp_path / "stopped", stop_at, **options)
        # What is rated meanwhile is for the next run.
        add_preferences(ratings, [{"role": "user", "content": "say sure"}], "sure", ["rain"])
    train(data, tmp_path / "stopped", **options)
    same(tmp_path / "undisturbed", tmp_path / "stopped")


def test_a_killed_run_goes_on_as_if_it_had_not_been(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"checkpoint_minutes": 1e-6}
    train(data, tmp_path / "undisturbed", **options)
    gradients, calls = PreferenceRound.gradients, []

    def killed(self: PreferenceRound, step: int) -> object:
        calls.append(step)
        if len(calls) in (1, 4, 8):  # before the first checkpoint of a round, and after others
            raise KeyError
        return gradients(self, step)

    monkeypatch.setattr(PreferenceRound, "gradients", killed)
    for _ in range(3):
        with pytest.raises(KeyError):
            train(data, tmp_path / "killed", **options)
    train(data, tmp_path / "killed", **options)
    assert calls[-1] == 2
    same(tmp_path / "undisturbed", tmp_path / "killed")


def test_a_round_starts_from_the_best_weights(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that spoils everything from some step on: the weights before are those that the round begins with."""
    from selfchatbot.trainer import loop

    spoiled = lambda step, *_: 1.0 if step < 12 else 300.0  # noqa: E731
    monkeypatch.setattr(loop, "rate_factor", spoiled)
    kept: list[dict[str, torch.Tensor]] = []
    save, load = Checkpoints.save_best, Checkpoints.load_best

    def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    def saved(self: Checkpoints, model: torch.nn.Module) -> None:
        kept[:] = [weights(model)]
        save(self, model)

    def loaded(self: Checkpoints, model: torch.nn.Module) -> None:
        kept.append(weights(model))
        load(self, model)
        kept.append(weights(model))

    monkeypatch.setattr(Checkpoints, "save_best", saved)
    monkeypatch.setattr(Checkpoints, "load_best", loaded)
    monkeypatch.setattr("selfchatbot.trainer.result.DIVERGED", 1e9)
    train(data, tmp_path / "out", evaluations_per_epoch=4, learning_rate=0.001, epochs=4)
    best, last, begun = kept
    assert any(not torch.equal(best[name], last[name]) for name in best)
    assert all(torch.equal(best[name], begun[name]) for name in best)


def test_what_becomes_best() -> None:
    def ended(accuracy: float, loss: float, best_accuracy: float = 0.7) -> bool:
        result = Result(base_loss=4.0)
        result.add_validation(10, 3.0, 4)
        better = result.add_round(RoundEnd(1, 20, 1.0, loss, accuracy, best_accuracy))
        assert (result.best_step, result.best_loss) == ((20, loss) if better else (10, 3.0))
        assert result.steps == 20
        return better

    assert ended(0.8, 3.0 + MOST_LOSS / 2)
    assert not ended(0.8, 3.0 + MOST_LOSS * 1.1)
    assert not ended(0.7, 2.9)
    assert not ended(float("nan"), 2.9, float("nan"))
    # Two rounds together may not cost more than one.
    result = Result(base_loss=4.0)
    result.add_validation(10, 3.0, 4)
    assert result.add_round(RoundEnd(1, 20, 1.0, 3.08, 0.8, 0.7))
    assert not result.add_round(RoundEnd(2, 30, 1.0, 3.16, 0.9, 0.8))
    assert result.best_step == 20


def test_the_best_validation_of_the_records() -> None:
    plain = [{"validation_loss": loss} for loss in (4.0, 3.1, 3.0, 3.2)]
    assert best_validation(plain) == 2
    ended = {"validation_loss": 2.9, "preference_round": 1}
    assert best_validation([*plain, ended | {"best": False}]) == 2
    assert best_validation([*plain, {**ended, "validation_loss": 3.05, "best": True}, ended | {"best": False}]) == 4
    assert best_validation(plain[:1]) == 0


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"prompt": [], "chosen": [{"role": "assistant", "content": "a"}]}',
        '{"prompt": [], "chosen": "a", "rejected": "b"}',
        '{"prompt": [{"role": "assistant", "content": "x"}], "chosen": [{"role": "assistant", "content": "a"}], '
        '"rejected": [{"role": "assistant", "content": "b"}]}',
        '{"prompt": [], "chosen": [{"role": "assistant", "content": 1}], '
        '"rejected": [{"role": "assistant", "content": "b"}]}',
    ],
)
def test_a_malformed_rating_is_one_clear_error(line: str, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "out" / PREFERENCES_FILE
    path.parent.mkdir()
    add_preferences(path, [{"role": "user", "content": "hi"}], "a", ["b"])
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r"preferences\.jsonl, line 2: expected .*: mend or remove this line"):
        train(data, tmp_path / "out")


def test_no_rounds_change_nothing(data: Path, tmp_path: Path) -> None:
    """Up to the rounds, a run with them is the run without them."""
    train(data, tmp_path / "with")
    train(data, tmp_path / "without", preference_rounds=0)
    with_rounds, without = records(tmp_path / "with"), records(tmp_path / "without")
    assert with_rounds[: len(without)] == without
    assert len(with_rounds) == len(without) + 2 * (3 + 1)  # 48 pairs are three steps; and a validation
