"""How well does training predict its memory?

    python benchmarks/memory.py [--settings lora-1024 ...] [--float32]

Trains the embedded model for a few full steps on conversations of the sample, each setting in its own process, and
compares the estimate logged before the first step with the peak resident memory of the process. --float32 computes in
float32, as on CPUs without bfloat16 instructions.

On 2026-11-24, one shared core of an AMD EPYC, Linux, torch 2.13, bfloat16:

    setting                       estimate      used   off by
    lora-256                      1.30 GiB 1.32 GiB   -2%
    lora-256-checkpointing        1.20 GiB 1.32 GiB   -9%
    lora-1024                     2.10 GiB 2.00 GiB   +5%
    lora-1024-checkpointing       1.40 GiB 1.32 GiB   +6%
    qlora-256                     1.40 GiB 1.35 GiB   +4%
    qlora-1024                    2.70 GiB 2.72 GiB   -1%
    fine_tune-256                 3.40 GiB 3.00 GiB  +13%
    fine_tune-1024                4.10 GiB 3.67 GiB  +12%

The estimate should stay within 25 %.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "SampleEnvironment" / "selfChatBot_preprocessed" / "Dataset_1_Rowan"
MODEL = "SmolLM2-135M-Instruct"
SETTINGS = [
    f"{method}-{length}{checkpointing}"
    for length in (256, 1024)
    for checkpointing in ("", "-checkpointing")
    for method in ("fine_tune", "lora", "qlora")
]
STEPS = 2

# Runs its arguments as a program and prints the peak of its memory in KiB. A process in between, because the ru_maxrss
# of a child starts at that of its parent.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
TRAIN = """
import sys
from pathlib import Path
import torch
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer
data = Path(sys.argv[1])
machine = Machine("cpu", torch.float32) if sys.argv[2] == "float32" else None
parameters = read_parameters(data / "parameters.json", TrainingParameters)
Trainer(parameters, data, data / "results", machine=machine).train()
"""


def main() -> None:
    """Measure each setting and print it as a row of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS, metavar="SETTING")
    parser.add_argument("--float32", action="store_true")
    chosen = parser.parse_args()
    print(f"{'setting':30} {'estimate':>9} {'used':>9}   off by")
    for setting in chosen.settings:
        with tempfile.TemporaryDirectory() as folder:
            estimate, used = measure(Path(folder), setting, "float32" if chosen.float32 else "default")
        print(f"{setting:30} {estimate:5.2f} GiB {used:5.2f} GiB   {estimate / used - 1:+.0%}", flush=True)


def measure(folder: Path, setting: str, numbers: str) -> tuple[float, float]:
    """Estimated and used memory in GiB."""
    method, length, *checkpointing = setting.split("-")
    write_data(folder, MODEL, method, int(length), bool(checkpointing), STEPS)
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", TRAIN, str(folder), numbers]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return estimated(folder), int(done.stdout) / 2**20


def estimated(folder: Path) -> float:
    """The estimate in GiB that a training on the dataset in ``folder`` logged before its first step."""
    logged = re.search(r"needs about ([\d.]+) of", (folder / "results" / "log.txt").read_text(encoding="utf-8"))
    return float(logged[1]) if logged else 0.0


def write_data(
    folder: Path, model: str, method: str, length: int, checkpointing: bool, steps: int, **more: object
) -> None:
    """A dataset of about ``steps`` full windows, and almost nothing to validate; ``more`` are other parameters."""
    turns = [
        {"role": role, "content": "what do you think of that place by the lake?"} for role in ("user", "assistant")
    ]
    if (SAMPLE / "train.jsonl").exists():  # what is said makes no difference to memory and speed
        lines = (SAMPLE / "train.jsonl").read_text(encoding="utf-8").split("\n")
        turns = [turn for line in lines if line for turn in json.loads(line)["messages"]]
    words, kept = 0, []
    for turn in itertools.cycle(turns):
        words += len(turn["content"].split()) + 4
        kept.append(turn)
        if words > steps * length / 1.4:
            break
    for name, messages in (("train", kept), ("validation", kept[:2])):
        (folder / f"{name}.jsonl").write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    values = {"model": model, "type_fine_tune": method, "max_length": length, "gradient_checkpointing": checkpointing}
    values |= {"epochs": 1.0, "learning_rate": 1e-5, "evaluations_per_epoch": 1, "samples": 0, **more}
    (folder / "parameters.json").write_text(json.dumps(values), encoding="utf-8")


if __name__ == "__main__":
    main()
