"""Several processes train as one does with as many times the batch: real processes on the CPU, over gloo."""

import json
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import write_training_data
from safetensors.torch import load_file
from script_runner import Forked, script_main
from varied_data import write_varied_data

from selfchatbot.cli.shell import run
from selfchatbot.errors import UsageError
from selfchatbot.models import Machine, this_machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Progress, Trainer, trainer
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.signals import Stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
CPU = Machine("cpu", torch.float32)
VARIABLES = {**os.environ, "OMP_NUM_THREADS": "1"}
LAUNCH = ["launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
# A run that its launcher is told to end after a step.
SCRIPT = """
import os, signal, sys, time, torch
from pathlib import Path
from selfchatbot.cli.shell import run
from selfchatbot.models import Machine, this_machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer

data, output, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def progressed(progress):
    if progress.step == last and os.environ["RANK"] == "0":
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(1)

parameters = read_parameters(data / "parameters.json", TrainingParameters)
trainer = Trainer(parameters, data, output, progressed, machine=Machine("cpu", torch.float32))
sys.exit(run(lambda: trainer.train()))
"""


def as_it_is() -> None:
    """Nothing is changed."""


def compute_in_float32() -> None:
    """As where no CPU has bfloat16: like the undisturbed run."""
    trainer.fast_machine = this_machine


def shard_weights() -> None:
    """accelerate spreads weights over GPUs only: here two CPUs pass for them."""
    os.environ.update(ACCELERATE_USE_FSDP="true", FSDP_VERSION="2", FSDP_AUTO_WRAP_POLICY="TRANSFORMER_BASED_WRAP")
    os.environ.update(FSDP_RESHARD_AFTER_FORWARD="true", ACCELERATE_TORCH_DEVICE="cpu")
    from accelerate.state import DistributedType, PartialState

    PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)
    torch.distributed.init_process_group("gloo")


def run_out_of_memory_once() -> None:
    """The second process does, alone."""
    loss, calls = LabelledLoss.__call__, []

    def failing(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        if os.environ["RANK"] == "1" and len(calls) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss(*arguments)

    LabelledLoss.__call__ = failing  # type: ignore[method-assign]


def write_data(folder: Path, model: Path, batch_size: int, **parameters: object) -> Path:
    # Dropout is another one in each process. With this max_length a batch has a single window, and three have three.
    common = {"epochs": 2, "lora_dropout": 0.0, "choose_sampling": False, "max_length": 110, "samples": 0}
    common |= {"learning_rate": 0.003}  # so low that the order in which numbers are added up doesn't show
    return write_training_data(folder, model, batch_size=batch_size, **(common | parameters))


def train_alone(data: Path, output: Path, stop_at: int | None = None) -> None:
    def progressed(progress: Progress) -> None:
        if progress.step + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    Trainer(
        read_parameters(data / "parameters.json", TrainingParameters), data, output, progressed, machine=CPU
    ).train()


def train_launched(data: Path, output: Path, last: int) -> str:
    """What two processes write on stderr, whose launcher is told to end after step ``last``."""
    script = output.parent / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with Forked(launch, [str(script), str(data), str(output), str(last)], variables=VARIABLES) as launcher:
        done = launcher.done(120)
    assert done.returncode != 0, done.stderr
    return done.stderr


def launch(arguments: list[str]) -> None:
    """In a process: ``accelerate launch``, which starts two others."""
    sys.argv = [*LAUNCH, *arguments]
    runpy.run_module("accelerate.commands.launch", run_name="__main__")


def train_one_of_two(before: Callable[[], None], data: Path, output: Path, stop_at: int | None) -> None:
    """In a process: ends after step ``stop_at`` because of a signal that only the first of them gets."""
    before()
    sys.exit(run(lambda: train_alone(data, output, stop_at if os.environ["RANK"] == "0" else None)))


def two_processes(*call: object, folder: Path | None = None) -> tuple[Forked, Forked]:
    """A function with its arguments in two processes that train together, and nobody launched them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    common = {**VARIABLES, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    first, second = (
        Forked(*call, folder=folder, variables={**common, "RANK": rank, "LOCAL_RANK": rank})  # type: ignore[arg-type]
        for rank in ("0", "1")
    )
    return first, second


def train_together(before: Callable[[], None], data: Path, output: Path, stop_at: int | None = None) -> str:
    """What two processes write on stderr."""
    first, second = two_processes(train_one_of_two, before, data, output, stop_at)
    with first, second:
        ended = [process.done(120) for process in (first, second)]
    stderr = "".join(one.stderr for one in ended)
    assert [one.returncode for one in ended] == [143 if stop_at else 0, 0], stderr  # only the first says why
    return stderr


def same(one: Path, other: Path) -> None:
    """Two runs had the same losses and ended with the same weights, but for the order in which floats were added."""
    records = [
        [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").strip().split("\n")]
        for output in (one, other)
    ]
    losses = [
        [(record["step"], record.get("loss", record.get("validation_loss"))) for record in run] for run in records
    ]
    assert [step for step, _ in losses[0]] == [step for step, _ in losses[1]]
    assert [loss for _, loss in losses[0]] == pytest.approx([loss for _, loss in losses[1]], abs=1e-5)
    assert losses[0][-1][1] < losses[0][0][1] - 0.1, "hardly anything was learned, so nothing was compared"
    for name in ("best", "final"):
        assert {path.name for path in (one / name).iterdir()} == {path.name for path in (other / name).iterdir()}
        first, second = (load_file(next((output / name).glob("*.safetensors"))) for output in (one, other))
        assert first.keys() == second.keys()
        assert all(torch.allclose(first[key], second[key], atol=1e-5) for key in first)


@pytest.fixture(scope="module")
def undisturbed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process with batches of two."""
    folder = tmp_path_factory.mktemp("alone")
    train_alone(write_data(folder / "data", tiny_model, 2), folder / "out")
    return folder / "out"


def test_two_processes_are_one_with_the_doubled_batch(environment: Path, tiny_model: Path, undisturbed: Path) -> None:
    write_data(environment / "preprocessed" / "Dataset_1_x", tiny_model, 1)
    first, second = two_processes(script_main, "train", ["-d", "1"], compute_in_float32, folder=environment)
    with first, second:
        ended = [process.done(120) for process in (first, second)]
    stdout, stderr = ("".join(getattr(one, stream) for one in ended) for stream in ("stdout", "stderr"))
    assert [one.returncode for one in ended] == [0, 0], stderr
    results = environment / "results" / "Dataset_1_x"
    same(results, undisturbed)
    names = {
        path.name for path in results.iterdir() if ".gguf" not in path.name
    }  # the command writes it, not `Trainer`
    assert names == {path.name for path in undisturbed.iterdir()}
    assert stdout.count("best/ and final/ of the run") == 1
    assert stderr.count("validation loss of the base model") == 1
    log = (results / "log.txt").read_text(encoding="utf-8")
    assert log.count("validation loss of the base model") == 1


def test_deepspeed_is_refused(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(UsageError, match="DeepSpeed is not supported: choose MULTI_GPU or FSDP"):
        train_alone(write_data(tmp_path / "data", tiny_model, 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_process_killed_ends_the_other_with_one_line(tiny_model: Path, tmp_path: Path) -> None:
    options = {"epochs": 1000, "learning_rate": 1e-5, "early_stopping_patience": 10_000}
    data = write_data(tmp_path / "data", tiny_model, 1, **options)
    first, second = two_processes(train_one_of_two, as_it_is, data, tmp_path / "out", None)
    with first, second:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "best").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second.process.kill()
        ended = first.done(60)
    assert ended.returncode == 1
    assert ended.stderr.count("error: another process of this run has ended: the same command resumes") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp"])
def test_stopped_with_two_processes_goes_on_with_one(
    sharded: bool, tiny_model: Path, tmp_path: Path, undisturbed: Path
) -> None:
    output, data = tmp_path / "out", write_data(tmp_path / "two", tiny_model, 1)
    stderr = train_together(shard_weights, data, output, 3) if sharded else train_launched(data, output, 3)
    assert stderr.count("The same command resumes from there") == 1, stderr
    assert list((output / "checkpoints").iterdir())
    train_alone(write_data(tmp_path / "one", tiny_model, 2), output)
    same(output, undisturbed)


ROUNDS = {"type_fine_tune": "lora", "epochs": 4, "learning_rate": 0.003, "preference_rounds": 2}


@pytest.fixture(scope="module")
def rounds(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process with batches of two, and preference rounds."""
    folder = tmp_path_factory.mktemp("rounds")
    train_alone(write_varied_data(folder / "data", tiny_model, batch_size=2, **ROUNDS), folder / "out")
    return folder / "out"


@pytest.mark.parametrize("before", [as_it_is, shard_weights], ids=["ddp", "fsdp"])
def test_preference_rounds_with_two_processes(
    before: Callable[[], None], tiny_model: Path, tmp_path: Path, rounds: Path
) -> None:
    data = write_varied_data(tmp_path / "data", tiny_model, batch_size=1, **ROUNDS)
    train_together(before, data, tmp_path / "together")
    same(tmp_path / "together", rounds)


def test_stopped_with_one_process_goes_on_with_two_and_little_memory(
    tiny_model: Path, tmp_path: Path, undisturbed: Path
) -> None:
    output = tmp_path / "out"
    with pytest.raises(Stopped):
        train_alone(write_data(tmp_path / "one", tiny_model, 2), output, 3)
    data = write_data(tmp_path / "two", tiny_model, 1)
    with pytest.raises(UsageError, match=r"batch_size times processes was 2 and is 1: change it back"):
        train_alone(data, output)
    train_together(run_out_of_memory_once, data, output)
    same(output, undisturbed)
