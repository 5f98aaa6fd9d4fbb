"""No run is lost: whatever ends it, the same command goes on, and the result is that of an undisturbed run."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import write_training_data
from filelock import FileLock
from safetensors.torch import load_file
from script_runner import Forked, run_function, start_script

from selfchatbot.cli.shell import run
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Progress, Trainer, resume
from selfchatbot.trainer.data import Batch, micro_batches
from selfchatbot.trainer.plan import TrainingPlan
from selfchatbot.trainer.saved_models import save_model
from selfchatbot.trainer.signals import Stopped

CPU = Machine("cpu", torch.float32)
KILLS = 12


def train(data: Path, output: Path, stop_at: int | None = None, restart: bool = False, **changes: object) -> None:
    def progressed(progress: Progress) -> None:
        if progress.step + 1 == stop_at:  # what is asked while a step is reported is done after the next one
            os.kill(os.getpid(), signal.SIGINT)

    parameters = read_parameters(data / "parameters.json", TrainingParameters).model_copy(update=changes)
    Trainer(parameters, data, output, progressed, machine=CPU, restart=restart).train()


def train_until(data: Path, output: Path, event: str, name: str, times: int) -> None:
    """In a process: it ends itself just before it does something for the n-th time."""

    def kill(happening: str, arguments: tuple[object, ...]) -> None:
        nonlocal times
        if happening == event and name in str(arguments[0]):
            times -= 1
            if not times:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    train(data, output)


def train_until_full(data: Path, output: Path, step: int) -> None:
    """In a process: as a user runs it, on a disk that becomes full while a step is reported."""

    def fill(progress: Progress) -> None:
        if progress.step == step:
            status = os.statvfs(output)
            with (output.parent / "filling").open("wb") as file:
                file.write(bytes(status.f_bavail * status.f_frsize - 40_000))

    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    sys.exit(run(Trainer(parameters, data, output, fill, machine=CPU).train))


def records(output: Path) -> list[dict[str, object]]:
    """What metrics.jsonl says of the losses, without times."""
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").strip().split("\n")
    return [{k: v for k, v in json.loads(line).items() if k != "tokens_per_second"} for line in lines]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def same(one: Path, other: Path) -> None:
    """Two results folders hold the same run."""
    assert records(one) == records(other)
    for name in ("best", "final"):
        first, second = weights(one / name), weights(other / name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert {path.name for path in (one / name).iterdir()} == {path.name for path in (other / name).iterdir()}


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a run that was "undisturbed", and one that was "stopped" after step 9 of its 20.

    A checkpoint is saved after each step.
    """
    folder = tmp_path_factory.mktemp("runs")
    data = write_training_data(folder / "data", tiny_model, epochs=1, checkpoint_minutes=1e-6)
    train(data, folder / "undisturbed")
    with pytest.raises(Stopped):
        train(data, folder / "stopped", 9)
    return folder


@pytest.fixture
def stopped(runs: Path, tmp_path: Path) -> Path:
    """A copy of the stopped run."""
    return shutil.copytree(runs / "stopped", tmp_path / "stopped")


@pytest.mark.parametrize("method", ["lora", "fine_tune"])
def test_ctrl_c_saves_and_the_rest_is_as_if_it_had_not_been(method: str, tiny_model: Path, tmp_path: Path) -> None:
    # Dropout draws at random, so that a lost random state would show.
    data = write_training_data(tmp_path / "data", tiny_model, epochs=1.5, type_fine_tune=method, lora_dropout=0.3)
    train(data, tmp_path / "undisturbed")
    # In the middle of an epoch, at its end, and again after going on.
    for stop_at in (4, 20, 23):
        with pytest.raises(Stopped, match=f"stopped after step {stop_at};.*The same command resumes from there"):
            train(data, tmp_path / "stopped", stop_at)
        assert (tmp_path / "stopped" / "checkpoints" / f"step-{stop_at}").is_dir()
        assert not (tmp_path / "stopped" / "final").exists()
    train(data, tmp_path / "stopped")
    same(tmp_path / "undisturbed", tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "checkpoints").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_at_random_moments(tiny_model: Path, tmp_path: Path) -> None:
    options = {"epochs": 7, "checkpoint_minutes": 1e-6, "early_stopping_patience": 10_000}
    data = write_training_data(tmp_path / "data", tiny_model, **options)
    output = tmp_path / "killed"
    undisturbed = Forked(train, data, tmp_path / "undisturbed")
    chance = random.Random(0)
    for _ in range(KILLS):
        with Forked(train, data, output) as killed:
            before = _newest(output)
            while killed.process.is_alive() and _newest(output) in (before, None):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.2))
            killed.signal(signal.SIGKILL)
            assert killed.done().returncode == -signal.SIGKILL
    with undisturbed, Forked(train, data, output) as last:
        assert undisturbed.done().returncode == last.done().returncode == 0
    same(tmp_path / "undisturbed", output)
    assert not list(output.glob(".*.partial-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("happening", "left"),
    [
        (("open", "step-14.partial", 1), "checkpoints/.step-14.partial-*/weights.safetensors"),
        (("os.rename", "step-14.partial", 1), "checkpoints/.step-14.partial-*/state.json"),
        (("os.rename", ".best.partial", 2), ".best.old/adapter_model.safetensors"),
    ],
    ids=["checkpoint half written", "checkpoint not in place", "best moved aside"],
)
def test_killed_while_saving(happening: tuple[str, str, int], left: str, runs: Path, tmp_path: Path) -> None:
    data = runs / "data"
    output = tmp_path / "killed"
    assert run_function(train_until, data, output, *happening).returncode == -signal.SIGKILL
    assert len(list(output.glob(left))) == 1
    train(data, output)
    same(runs / "undisturbed", output)
    assert not list(output.rglob(".*.partial-*"))


def _newest(output: Path) -> str | None:
    names = [path.name for path in (output / "checkpoints").glob("step-*")]
    return max(names, key=lambda name: int(name.removeprefix("step-")), default=None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size=4m,uid={os.getuid()}", "tmpfs", str(folder)]
    root = [] if os.getuid() == 0 else ["sudo", "-n"]
    try:
        subprocess.run([*root, "mount", *options], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run([*root, "umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def large_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and an undisturbed run whose checkpoints are too large for a small disk."""
    folder = tmp_path_factory.mktemp("large")
    parameters = {"epochs": 1, "checkpoint_minutes": 1e-6, "evaluations_per_epoch": 4, "lora_r": 64}
    train(write_training_data(folder / "data", tiny_model, **parameters), folder / "undisturbed")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is one in memory")
@pytest.mark.parametrize(("step", "file"), [(7, "checkpoints"), (10, "best")])
def test_a_full_disk_in_the_middle_of_saving(step: int, file: str, large_run: Path, small_disk: Path) -> None:
    # Validation, and with it best/, comes before the checkpoint of the same step.
    data = large_run / "data"
    output = small_disk / "out"
    done = run_function(train_until_full, data, output, step)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.split("\n") if "error" in line)
    assert f"{output / file}" in line and "free some space and run the same command again" in line
    assert _newest(output) == f"step-{step - 1}"
    assert weights(output / "best")
    assert not [path for path in output.rglob(".*partial*") if path.is_dir()]
    (small_disk / "filling").unlink()
    train(data, output)
    same(large_run / "undisturbed", output)


def test_at_most_two_checkpoints_are_kept(stopped: Path) -> None:
    assert sorted(path.name for path in (stopped / "checkpoints").iterdir()) == ["step-8", "step-9"]


@pytest.mark.parametrize("name", [resume.STATE, resume.WEIGHTS, resume.OPTIMIZER, resume.RANDOM])
def test_a_damaged_checkpoint_is_passed_over(name: str, runs: Path, stopped: Path) -> None:
    file = stopped / "checkpoints" / "step-9" / name
    os.truncate(file, file.stat().st_size // 2)
    train(runs / "data", stopped)
    same(runs / "undisturbed", stopped)


@pytest.mark.parametrize("version", [1, 3])
def test_the_run_of_another_version_is_refused(version: int, runs: Path, stopped: Path) -> None:
    state = stopped / "checkpoints" / "step-9" / "state.json"
    values = json.loads(state.read_text(encoding="utf-8")) | {"format": version}
    if version == 1:  # which had no number, another list of parameters, and a file more
        del values["format"]
        values["run"]["free"] = values["run"].pop("changeable")
        (state.parent / "trainer_state.json").write_text("{", encoding="utf-8")
    state.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(UsageError, match=r"another version of selfchatbot: finish it .* or start over with --restart"):
        train(runs / "data", stopped)
    train(runs / "data", stopped, restart=True, epochs=0.1)
    assert (stopped / "final").is_dir()


def test_changed_parameters_or_data_are_said_and_restart_is_the_way_out(
    runs: Path, stopped: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(runs / "data", tmp_path / "data")
    with pytest.raises(UsageError, match=r"learning_rate was 0\.01 and is 0\.02.*--restart"):
        train(data, stopped, learning_rate=0.02)
    text = (data / "train.jsonl").read_text(encoding="utf-8")
    (data / "train.jsonl").write_text(text + text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"train\.jsonl has changed"):
        train(data, stopped)
    train(data, stopped, restart=True, epochs=0.1)
    assert (stopped / "final").is_dir()


def test_parameters_that_may_change_do(runs: Path, stopped: Path) -> None:
    train(runs / "data", stopped, early_stopping_patience=9, evaluations_per_epoch=4)
    assert [record["step"] for record in records(stopped) if "validation_loss" in record] == [0, 10, 15, 20]
    log = (stopped / "log.txt").read_text(encoding="utf-8")
    assert "changed since the checkpoint: early_stopping_patience, evaluations_per_epoch\n" in log


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
