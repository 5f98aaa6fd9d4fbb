"""What a training would take is estimated, and nothing is written."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Run, write_training_data
from rich.console import Console

from selfchatbot.cli import train as script
from selfchatbot.environment import Dataset, Environment
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer
from selfchatbot.trainer.dry_run import dry_run
from selfchatbot.trainer.metrics import validations
from selfchatbot.trainer.plan import plan_training

NAME = "Dataset_1_x"
CPU = Machine("cpu", torch.float32)


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_it_writes_nothing(run: Run, environment: Path, tiny_model: Path) -> None:
    write_training_data(environment / "preprocessed" / NAME, tiny_model)
    (environment / "results" / NAME).mkdir(parents=True)
    before = contents(environment)
    done = run("train", "-n", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert contents(environment) == before
    assert re.search(r"steps +\d+, [\d,]+ tokens(?:, and [1-5]% more for padding)?$", done.stdout, re.MULTILINE)
    assert re.search(r"memory +needs about [\d.]+ of [\d.]+ GiB \(micro-batches of 128 tokens\)", done.stdout)
    assert re.search(r"time +about \d+ minutes?, from steps measured", done.stdout)
    assert re.search(r"disk +up to 0\.00 of \d+ GiB", done.stdout)


def test_the_estimate_comes_true(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, checkpoint_minutes=1e-6)
    output = tmp_path / "out"
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    plan = dry_run(parameters, data, output, CPU)
    assert not output.exists()
    sizes = []

    def weigh(*_: object) -> None:
        sizes.append(sum(path.stat().st_size for path in output.rglob("*.safetensors")))

    assert "about 1 minute," in str(replace(plan, seconds=25))
    assert "about 2 hours 1 minute," in str(replace(plan, seconds=7201))
    assert Trainer(parameters, data, output, weigh, machine=CPU).train().steps == plan.steps
    assert 0.4 < max(sizes) / plan.disk <= 1


@pytest.mark.parametrize(("epochs", "evaluations"), [(0.3, 2), (1.25, 2)])
def test_the_number_of_validations_is_known(epochs: float, evaluations: int, tiny_model: Path, tmp_path: Path) -> None:
    options = {"epochs": epochs, "evaluations_per_epoch": evaluations, "samples": 0}
    data = write_training_data(tmp_path / "data", tiny_model, **options)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, tmp_path / "out", machine=CPU).train()
    done = validations(tmp_path / "out" / "metrics.jsonl")
    assert plan_training(parameters, data, CPU, keep=False).validations == len(done)


def test_what_would_end_a_training_is_said(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_training_data(tmp_path / "data", tiny_model)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    with pytest.raises(UsageError, match='"report_to": found "nobody"'):
        dry_run(parameters.model_copy(update={"report_to": ("nobody",)}), data, tmp_path / "out", CPU)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("selfchatbot.trainer.dry_run.trainable_model", full)
    with pytest.raises(SelfChatBotError, match="out of memory: close other programs, lower max_length"):
        dry_run(parameters, data, tmp_path / "out", CPU)


def test_the_first_process_speaks_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("selfchatbot.trainer.dry_run.dry_run", lambda *_: "the plan")
    dataset = Dataset("1", NAME, Environment(tmp_path, tmp_path, tmp_path))
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        script._dry_run(TrainingParameters(model="x"), dataset, Console(quiet=True))
    assert capsys.readouterr().out == "the plan\n"
