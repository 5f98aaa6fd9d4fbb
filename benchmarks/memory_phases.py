"""How much memory does selfChatBot_train take in each of its phases, and is that what it tells?

    python benchmarks/memory_phases.py DATASET [--epochs 1.0] [--float32]

DATASET is a Dataset_<ID>_<Name> folder made by selfChatBot_preprocess. It is trained, and then the sampling is chosen,
in one process as the command does it. A row is printed after some of the steps: resident memory now and at its peak
until then in GiB, the loss, and the tokens per second since the first step.

On 2026-11-28, two shared cores of an AMD EPYC without AVX-512, Linux, torch 2.13, LoRA of SmolLM2-135M-Instruct on the
sample, max_length 512, float32: 1.87 GiB at step 1, at most 2.1 in 20 steps, 0.6 when memory was given back. Choosing
the sampling, alone in a process with two threads, took 2.16 (2.50 with all contexts in one batch). 2.2 was told.
"""

import argparse
import re
import tempfile
from pathlib import Path

import torch

from selfchatbot.memory import give_back_memory
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import FILE_NAME, TrainingParameters, read_parameters
from selfchatbot.player.tune_sampling import choose_sampling
from selfchatbot.trainer import Progress, Trainer

STEPS = (1, 10, 20, 38, 77, 200, 500, 1000)


def main() -> None:
    """Train, choose the sampling, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dataset", type=Path)
    arguments.add_argument("--epochs", type=float)
    arguments.add_argument("--float32", action="store_true", help="as on CPUs without bfloat16 instructions")
    chosen = arguments.parse_args()
    quiet()
    parameters = read_parameters(chosen.dataset / FILE_NAME, TrainingParameters)
    if chosen.epochs is not None:
        parameters = parameters.model_copy(update={"epochs": chosen.epochs})
    machine = Machine("cpu", torch.float32) if chosen.float32 else fast_machine()
    print(f"{parameters.type_fine_tune} in {machine.dtype}, {torch.get_num_threads()} threads")
    print("| after | now | peak | loss | tokens/s |\n|---|---:|---:|---:|---:|")
    row("the imports")

    def on_progress(progress: Progress) -> None:
        if progress.step in STEPS or progress.step == progress.steps:
            row(f"step {progress.step}", f"{progress.loss:.4f}", f"{progress.tokens_per_second:.0f}")

    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        trainer = Trainer(parameters, chosen.dataset, results, on_progress, machine=machine)  # which the command keeps
        trainer.train()
        row("the training")
        give_back_memory()
        row("memory was given back")
        choose_sampling(chosen.dataset, results, parameters.seed, lambda done, of: row(f"{done} of {of} samplings"))
        told = re.search(r"needs about ([\d.]+) of", (results / "log.txt").read_text(encoding="utf-8"))
    peak = memory("VmHWM")
    if told:
        print(f"told {told[1]} GiB, used {peak:.2f} GiB: off by {float(told[1]) / peak - 1:+.0%}")


def row(after: str, loss: str = "", speed: str = "") -> None:
    """Print a row of the table."""
    print(f"| {after} | {memory('VmRSS'):.2f} | {memory('VmHWM'):.2f} | {loss} | {speed} |", flush=True)


def memory(key: str) -> float:
    """A line of Linux's status file of this process, in GiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(rf"{key}:\s+(\d+) kB", lines)[0]) / 2**20


if __name__ == "__main__":
    main()
