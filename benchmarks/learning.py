"""Which training parameters learn most from few replies?

    python benchmarks/learning.py DATASET RECORD.csv [--replies 500 2000] [--seeds 3] [--only NAME ...]
    python benchmarks/learning.py --document RECORD.csv FOLDER

DATASET is a Dataset_<ID>_<Name> folder made by selfChatBot_preprocess. For each number of replies, the newest
conversations of train.jsonl with that many replies are trained in every way of ``WAYS``, and all are validated on the
first turns of every conversation of validation.jsonl. A finished run is a line of RECORD.csv and is not repeated, so
the experiment can be stopped and continued. `--document` prints the table of RECORD.md and writes training.png
into FOLDER.

Loss is in nats per trained token: my words and the end of my turn.
"""

import argparse
import csv
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_LENGTH = 512
VALIDATION_TURNS = 20
FIELDS = ("replies", "way", "seed", "parameters", "base_loss", "losses", "steps", "seconds")

WAYS: dict[str, dict[str, Any]] = {
    "LoRA: the defaults, one epoch": {},
    "LoRA, learning rate 5e-4": {"learning_rate": 5e-4},
    "LoRA, learning rate 1e-3": {"learning_rate": 1e-3},
    "LoRA, learning rate 2e-3": {"learning_rate": 2e-3},
    "LoRA, learning rate 4e-3": {"learning_rate": 4e-3},
    "LoRA, 3 epochs": {"epochs": 3.0},
    "LoRA, 2 epochs": {"epochs": 2.0},
    "LoRA, 2 epochs, learning rate 1e-3": {"epochs": 2.0, "learning_rate": 1e-3},
    "LoRA, `cooldown_ratio` 0.2": {"cooldown_ratio": 0.2},
    "LoRA, `cooldown_ratio` 0.7": {"cooldown_ratio": 0.7},
    "LoRA, rank 4": {"lora_r": 4, "lora_alpha": 8},
    "LoRA, rank 64": {"lora_r": 64, "lora_alpha": 128},
    "LoRA, rank 64, alpha 32": {"lora_r": 64},
    "LoRA, dropout 0.05": {"lora_dropout": 0.05},
    "LoRA, dropout 0.05, learning rate 1e-3": {"lora_dropout": 0.05, "learning_rate": 1e-3},
    "LoRA, dropout 0.05, learning rate 5e-4": {"lora_dropout": 0.05, "learning_rate": 5e-4},
    "full": {"type_fine_tune": "fine_tune"},
    "full, learning rate 1e-4": {"type_fine_tune": "fine_tune", "learning_rate": 1e-4},
    "full, learning rate 2e-4": {"type_fine_tune": "fine_tune", "learning_rate": 2e-4},
    # TRL 1.16: SFTConfig's learning rate and epochs, peft's rank, alpha and dropout.
    "defaults of TRL, 3 epochs": {
        "learning_rate": 2e-5,
        "epochs": 3.0,
        "lora_r": 8,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "batch_size": 4,
    },
    # kagamiAL/selfchatbot sets 500 epochs and stops after eight without a better loss; here after three.
    "defaults of the reference program, 3 epochs": {
        "learning_rate": 5e-5,
        "epochs": 3.0,
        "lora_r": 32,
        "lora_alpha": 64,
        "lora_dropout": 0.05,
        "batch_size": 4,
    },
    "`recency_half_life` 365": {"recency_half_life": 365.0},
    "`loss_per` reply": {"loss_per": "reply"},
    "`rslora`": {"rslora": True},
    "`dora`": {"dora": True},
    "`neftune_alpha` 5": {"neftune_alpha": 5.0},
    "`system` with contact and app": {"system": "You are {me}, chatting with {contact} on {format}."},
}
"""What differs from the defaults of `TrainingParameters` and one epoch."""
COSINE = " (cosine)"
"""Marks runs with the former schedule; they can't be repeated."""
ME = "Rowan"


def main() -> None:
    """Run what is not in the record yet, or document it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs=2, type=Path, metavar="PATH")
    arguments.add_argument("--document", action="store_true")
    arguments.add_argument("--replies", nargs="*", type=int, default=[500, 2000])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    chosen = arguments.parse_args()
    if chosen.document:
        document(*chosen.paths)
        return
    dataset, record = chosen.paths
    for seed in range(chosen.seeds):
        for replies in chosen.replies:
            for way in chosen.only:
                if (replies, way, seed) not in {(row["replies"], row["way"], row["seed"]) for row in read(record)}:
                    add(record, run(dataset, replies, way, seed))


def run(dataset: Path, replies: int, way: str, seed: int) -> dict[str, Any]:
    """Train once; returns a row of the record, with the losses of all validations."""
    from selfchatbot.models import quiet
    from selfchatbot.parameters import TrainingParameters, Trait
    from selfchatbot.trainer import Trainer
    from selfchatbot.trainer.metrics import METRICS_NAME, validations

    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        data, output = Path(scratch, "data"), Path(scratch, "output")
        data.mkdir()
        changes = dict(WAYS[way])
        system = changes.pop("system", None)
        for name, lines in (
            ("train", newest(dataset / "train.jsonl", replies)),
            ("validation", heads(dataset / "validation.jsonl")),
        ):
            written = lines if system is None else (introduced(line, system) for line in lines)
            (data / f"{name}.jsonl").write_text("".join(written), encoding="utf-8")
        parameters = TrainingParameters(
            model=json.loads((dataset / "parameters.json").read_text(encoding="utf-8"))["model"],
            max_length=MAX_LENGTH,
            evaluations_per_epoch=1,
            checkpoint_minutes=1e6,
            samples=0,
            seed=seed,
            **{"epochs": 1.0, **changes},
        )
        start = time.perf_counter()
        result = Trainer(parameters, data, output).train()
        losses = [record["validation_loss"] for record in validations(output / METRICS_NAME)]
        shutil.rmtree(output)
    row = {
        "replies": replies,
        "way": way,
        "seed": seed,
        "parameters": json.dumps(
            parameters.model_dump(exclude={*parameters.fields_with(Trait.NOT_COMPARED), "max_length"})
        ),
        "base_loss": round(result.base_loss, 4),
        "losses": json.dumps([round(loss, 4) for loss in losses[1:]]),
        "steps": result.steps,
        "seconds": round(time.perf_counter() - start),
    }
    print(row, flush=True)
    return row


def newest(path: Path, replies: int) -> Iterator[str]:
    """The newest conversations with this many replies of mine in total; the oldest of them is cut to fit."""
    chosen: list[str] = []
    for line in reversed(path.read_text(encoding="utf-8").split("\n")[:-1]):
        conversation = json.loads(line)
        messages = conversation["messages"]
        mine = sum(message["role"] == "assistant" for message in messages)
        if mine > replies:
            conversation["messages"] = messages[-2 * replies :]
        chosen.append(json.dumps(conversation, ensure_ascii=False) + "\n")
        replies -= mine
        if replies <= 0:
            break
    return reversed(chosen)


def heads(path: Path) -> Iterator[str]:
    """The first turns of each conversation."""
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        conversation = json.loads(line)
        conversation["messages"] = conversation["messages"][:VALIDATION_TURNS]
        if any(message["role"] == "assistant" for message in conversation["messages"]):
            yield json.dumps(conversation, ensure_ascii=False) + "\n"


def introduced(line: str, system: str) -> str:
    """A conversation with a first message that says who is chatting with whom in which app."""
    conversation = json.loads(line)
    text = system.format(me=ME, contact=conversation["contact"], format=conversation["format"])
    conversation["messages"].insert(0, {"role": "system", "content": text})
    return json.dumps(conversation, ensure_ascii=False) + "\n"


def read(record: Path) -> list[dict[str, Any]]:
    """The finished runs."""
    if not record.exists():
        return []
    with record.open(encoding="utf-8", newline="") as file:
        return [row | {"replies": int(row["replies"]), "seed": int(row["seed"])} for row in csv.DictReader(file)]


def add(record: Path, row: dict[str, Any]) -> None:
    """One more finished run."""
    new = not record.exists()
    with record.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def document(record: Path, folder: Path) -> None:
    """The table on stdout, the plot as training.png."""
    from matplotlib.figure import Figure

    rows = read(record)
    amounts = sorted({row["replies"] for row in rows})
    ways = [*WAYS, *(way + COSINE for way in WAYS)]
    best = {
        (way, replies): [
            min(json.loads(row["losses"])) for row in rows if (row["way"], row["replies"]) == (way, replies)
        ]
        for way in ways
        for replies in amounts
    }
    base = statistics.median(float(row["base_loss"]) for row in rows)
    print("| way | " + " | ".join(f"{replies:,} replies" for replies in amounts) + " |")
    print("|---|" + "---|" * len(amounts))
    print(f"| base model | {' | '.join(f'{base:.3f}' for _ in amounts)} |")
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for way in ways:
        cells = [best[way, replies] for replies in amounts]
        if any(cells):
            print(f"| {way} | " + " | ".join(map(_cell, cells)) + " |")
            points = [(r, statistics.fmean(c)) for r, c in zip(amounts, cells, strict=True) if c]
            axes.plot(*zip(*points, strict=True), marker="o", label=way)
    axes.axhline(base, color="tab:gray", linestyle="--", linewidth=1, label="base model")
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(amounts, [f"{replies:,}" for replies in amounts])
    axes.set_xlabel("my replies")
    axes.set_ylabel("validation loss (nats per trained token)")
    axes.legend(fontsize="x-small")
    figure.savefig(folder / "training.png", dpi=110)


def _cell(losses: list[float]) -> str:
    if not losses:
        return "-"
    spread = f" ± {statistics.stdev(losses):.3f}" if len(losses) > 1 else ""
    return f"{statistics.fmean(losses):.3f}{spread} ({len(losses)})"


if __name__ == "__main__":
    main()
