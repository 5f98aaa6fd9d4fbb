"""No run is lost: whatever ends it, the same command goes on, and the result is that of an undisturbed run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import write_training_data
from safetensors.torch import load_file
from script_runner import Forked, run_function

from selfchatbot.cli.shell import run
from selfchatbot.errors import UsageError
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Progress, Trainer, resume
from selfchatbot.trainer.signals import Stopped

CPU = Machine("cpu", torch.float32)
KILLS = 8


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
    options = {"epochs": 5, "checkpoint_minutes": 1e-6, "early_stopping_patience": 10_000}
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
