"""Trainings with preference rounds: what they write, ratings, stopped and killed runs."""

from pathlib import Path

import pytest
import torch
from test_resume import records, same, train
from varied_data import write_varied_data

from selfchatbot.environment import PREFERENCES_FILE
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.session.preferences import add_preferences
from selfchatbot.trainer.dry_run import dry_run
from selfchatbot.trainer.preference_round import PreferenceRound
from selfchatbot.trainer.resume import Checkpoints
from selfchatbot.trainer.signals import Stopped

CPU = Machine("cpu", torch.float32)


@pytest.fixture
def data(tiny_model: Path, tmp_path: Path) -> Path:
    return write_varied_data(tmp_path / "data", tiny_model, epochs=1, preference_rounds=2)


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
