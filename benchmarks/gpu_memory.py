"""Is the memory estimated in docs/scaling.md what a GPU needs?

    python benchmarks/gpu_memory.py FOLDER [--models Llama-3.1-8B ...] [--settings lora lora-checkpointing ...]

Needs CUDA. Writes models of the shapes in that document into FOLDER, one after the other, with random weights: they
need as much memory as the real ones. Trains each for a few steps of one window of 1024 tokens, each setting in its own
process, and compares the estimate logged before the first step with the peak of what torch allocated. The document has
the results of an H100. The estimate should stay within 25 %.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from memory import MODEL, estimated, write_data
from scaling_table import MODELS

SETTINGS = [
    f"{method}{checkpointing}" for method in ("lora", "qlora", "fine_tune") for checkpointing in ("", "-checkpointing")
]
WINDOW = 1024
STEPS = 6

TRAIN = """
import json, sys
from pathlib import Path
import torch
from selfchatbot.models import quiet
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer
quiet()
data = Path(sys.argv[1])
Trainer(read_parameters(data / "parameters.json", TrainingParameters), data, data / "results").train()
print(json.dumps([torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()]))
"""


def main() -> None:
    """Measure each setting and print it as a row of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["Llama-3.2-1B", "Llama-3.1-8B"])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["lora", "qlora", "qlora-checkpointing"])
    chosen = parser.parse_args()
    print("| model | setting | estimated, GiB | allocated, GiB | off by | reserved, GiB | tokens/s |")
    print("|---|---|---:|---:|---:|---:|---:|", flush=True)
    for name in chosen.models:
        model = chosen.folder / name
        write_model(model, MODELS[name], "cuda")
        for setting in chosen.settings:
            data = chosen.folder / "data"
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir(parents=True)
            method, *checkpointing = setting.split("-")
            write_data(data, str(model), method, WINDOW, bool(checkpointing), STEPS)
            command = [sys.executable, "-c", TRAIN, str(data)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                print(f"| {name} | {setting} | {done.stderr.strip().splitlines()[-1]} |", flush=True)
                continue
            allocated, reserved = (size / 2**30 for size in json.loads(done.stdout.strip().split("\n")[-1]))
            estimate = estimated(data)
            records = (data / "results" / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
            paces = [json.loads(record).get("tokens_per_second") for record in records]
            pace = statistics.median(pace for pace in paces if pace)
            print(
                f"| {name} | {setting} | {estimate:.1f} | {allocated:.1f} | {estimate / allocated - 1:+.0%} | "
                f"{reserved:.1f} | {pace:.0f} |",
                flush=True,
            )
        shutil.rmtree(model)


def write_model(folder: Path, config: Any, device: str) -> None:
    """Random weights in bfloat16, made on ``device``, with the tokenizer of the embedded model."""
    import torch
    from transformers import AutoModelForCausalLM

    from selfchatbot.models import load_tokenizer, quiet

    quiet()
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    load_tokenizer(MODEL).save_pretrained(folder)
    del model
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
