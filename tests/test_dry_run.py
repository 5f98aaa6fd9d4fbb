"""What a training would take is told, and nothing is written."""

import re
from pathlib import Path

import torch
from conftest import Run, write_training_data

from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer
from selfchatbot.trainer.dry_run import dry_run

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
    assert re.search(r"steps +\d+, \d+ tokens, (9[5-9]|100)\.\d% of what is computed", done.stdout)
    assert re.search(r"memory +needs about [\d.]+ of [\d.]+ GiB \(pieces of 128 tokens\)", done.stdout)
    assert re.search(r"time +about 0:\d\d h, from steps measured", done.stdout)
    assert re.search(r"disk +up to 0\.00 of \d+ GiB", done.stdout)


def test_what_it_tells_comes_true(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, checkpoint_minutes=1e-6)
    output = tmp_path / "out"
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    plan = dry_run(parameters, data, output, CPU)
    assert not output.exists()
    sizes = []

    def weigh(*_: object) -> None:
        sizes.append(sum(path.stat().st_size for path in output.rglob("*.safetensors")))

    assert Trainer(parameters, data, output, weigh, machine=CPU).train().steps == plan.steps
    assert 0.4 < max(sizes) / plan.disk <= 1
