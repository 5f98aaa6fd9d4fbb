"""Resuming: runs that ended, that are running elsewhere, or that a signal ends."""

import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import write_training_data
from filelock import FileLock
from script_runner import start_script
from test_resume import CPU, _newest, records, same, train

from selfchatbot.errors import SelfChatBotError
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Progress, Trainer
from selfchatbot.trainer.data import Batch, micro_batches
from selfchatbot.trainer.plan import TrainingPlan
from selfchatbot.trainer.saved_models import save_model
from selfchatbot.trainer.signals import Stopped

ENDS_EARLY = {"epochs": 1, "learning_rate": 1e-30, "evaluations_per_epoch": 10, "early_stopping_patience": 1}
"""Nothing is learned: the second validation, after step 4, is no better than the first one."""


@pytest.mark.parametrize("parameters", [{"epochs": 0.3}, ENDS_EARLY], ids=["all steps", "stopped early"])
def test_a_run_that_ends_is_not_saved_as_an_unfinished_one(
    parameters: dict[str, object], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, checkpoint_minutes=1e-6, **parameters)
    train(data, tmp_path / "undisturbed")
    last = records(tmp_path / "undisturbed")[-1]["step"]
    assert last == (4 if parameters is ENDS_EARLY else 6)

    train(data, tmp_path / "asked", stop_at=last)
    same(tmp_path / "undisturbed", tmp_path / "asked")
    assert not (tmp_path / "asked" / "checkpoints").exists()

    def interrupted(folder: Path, *arguments: Any) -> None:
        if folder.name == "final":
            raise KeyboardInterrupt
        save_model(folder, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("selfchatbot.trainer.trainer.save_model", interrupted)
        train(data, tmp_path / "killed")
    train(data, tmp_path / "killed")
    same(tmp_path / "undisturbed", tmp_path / "killed")


def test_what_a_run_knows_when_it_goes_on(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingPlan, "steps_between_logs", 4)
    data = write_training_data(tmp_path / "data", tiny_model, epochs=0.8, evaluations_per_epoch=4)
    train(data, tmp_path / "undisturbed")
    output = tmp_path / "stopped"
    with pytest.raises(Stopped):
        train(data, output, 9)
    leftover = output / "checkpoints" / f".step-8.partial-{2**30}"
    leftover.mkdir()
    state = output / "checkpoints" / "step-9" / "state.json"
    state.write_text(re.sub(r'"micro_tokens": \d+', '"micro_tokens": 1000000', state.read_text("utf-8")), "utf-8")
    # What a power cut may leave.
    metrics = output / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + b'{"step": 9, "lo\0\0\xff\n')
    seen, pieces = [], []

    def progressed(progress: Progress) -> None:
        seen.append((progress, leftover.exists()))

    def noted(batch: Batch, tokens: int, processes: int, multiple: int) -> Iterator[Batch]:
        pieces.append(tokens)
        return micro_batches(batch, tokens, processes, multiple)

    monkeypatch.setattr("selfchatbot.trainer.updates.micro_batches", noted)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, output, progressed, machine=CPU).train()
    same(tmp_path / "undisturbed", output)
    first, leftover_was_there = seen[0]
    known = [record["validation_loss"] for record in records(output) if record["step"] == 8 and len(record) == 3]
    assert first.step == 12 and [first.validation_loss] == known
    assert not leftover_was_there
    assert max(pieces) < 1000000


def test_two_trainings_at_once_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model)
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".training.lock"), pytest.raises(SelfChatBotError, match="another training"):
        train(data, tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_end_the_script_in_one_line(
    number: int, code: int, environment: Path, tiny_model: Path
) -> None:
    name = "Dataset_1_x"
    data = write_training_data(environment / "preprocessed" / name, tiny_model, epochs=1000, learning_rate=1e-4)
    values = json.loads((data / "parameters.json").read_text(encoding="utf-8"))
    values |= {"early_stopping_patience": 10_000, "evaluations_per_epoch": 10}
    (data / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    best = environment / "results" / name / "best"
    with start_script("train", ["-d", "1"], folder=environment) as process:
        deadline = time.monotonic() + 120
        while not best.exists() and process.process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.signal(number)
        done = process.done(60)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "best/ is the model after step" in done.stderr
    assert "The same command resumes from there" in done.stderr
    assert _newest(environment / "results" / name)


def test_an_earlier_best_is_played_with_its_own_parameters(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=1)
    train(data, tmp_path / "out")
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)

    def played() -> object:
        return json.loads((tmp_path / "out" / "parameters.json").read_text(encoding="utf-8"))["model"]

    with pytest.raises(Stopped, match="best/ is the model as it is now, before its first validation"):
        train(data, tmp_path / "out", 2, model=str(other))
    assert played() == str(other)
    (kept,) = (tmp_path / "out" / "runs").iterdir()
    assert json.loads((kept / "parameters.json").read_text(encoding="utf-8"))["model"] == str(tiny_model)
    assert (kept / "best" / "adapter_config.json").exists() and (kept / "metrics.jsonl").exists()
    train(data, tmp_path / "out", model=str(other))
    assert played() == str(other)
