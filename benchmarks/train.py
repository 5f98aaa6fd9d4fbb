"""How fast is training, and how much memory does it take, compared with TRL's SFTTrainer?

    pip install trl
    python benchmarks/train.py DATASET [--windows 48] [--methods lora qlora fine_tune] [--who selfchatbot ...]

DATASET is a Dataset_<ID>_<Name> folder made by selfChatBot_preprocess. The first conversations of its train.jsonl that
give this many windows of at most 480 tokens are trained for one epoch, by us and by TRL (batch 4), with the same rank,
learning rate, schedule and labels. The runs are separate processes, one after the other:

    selfchatbot           the default: on CPUs with bfloat16 instructions, matrix products are in bfloat16
    selfchatbot float32   as on other CPUs
    TRL padded            in float32, without gradient checkpointing
    TRL packing           the same, packed; on a CPU, packed conversations see each other: a different training
    TRL bfloat16          padded, with TRL's default number format
    TRL defaults          the same, with TRL's default for gradient checkpointing, which is on

Useful tokens are those of the windows, without padding. The loss afterwards is that of the first windows of the
validation split, by transformers' own forward pass in float32. The limit is the time of the matrix products alone:
training N weights costs 2N floating point operations per token forward, 2N for the gradients of the activations and, in
full fine-tuning, 2N for those of the weights, at the speed of `torch.mm` on this machine in float32, in whatever format
a row computes. (The formula ignores that logits are computed at labels only, and the adapters.) On a GPU the limit is
that of bfloat16, and the memory is what torch allocated.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LENGTH = 480
VALIDATION_LABELS = 1_500
CONTESTANTS = ("selfchatbot", "selfchatbot float32", "TRL padded", "TRL packing", "TRL bfloat16", "TRL defaults")
METHODS = ("lora", "qlora", "fine_tune")
OPERATIONS = {"lora": 4, "qlora": 4, "fine_tune": 6}
"""Floating point operations per weight and token."""


def main() -> None:
    """Train with each on the same windows and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dataset", type=Path)
    arguments.add_argument("--windows", type=int, default=48)
    arguments.add_argument("--methods", nargs="*", choices=METHODS, default=["lora"])
    arguments.add_argument("--who", nargs="*", choices=CONTESTANTS, default=CONTESTANTS, metavar="CONTESTANT")
    arguments.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.run:
        print(json.dumps(contest(chosen.dataset, *chosen.run)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch)
        weights, labels, tokens = make_data(chosen.dataset, data, chosen.windows)
        speed = gemm_speed()
        print(f"{chosen.windows} windows, {tokens:,} tokens, {labels:,} of them trained; torch.mm {speed:.0f} GFLOP/s")
        print("| method | who | useful tokens/s | of the limit | peak memory, GiB | loss afterwards |")
        print("|---|---|---:|---:|---:|---:|")
        for method in chosen.methods:
            limit = speed * 1e9 / (OPERATIONS[method] * weights)
            for contestant in chosen.who:
                command = [sys.executable, __file__, str(data), "--run", contestant, method]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found = json.loads(output.strip().split("\n")[-1])
                pace = tokens / found["seconds"]
                print(
                    f"| {method} | {contestant} | {pace:.1f} | {pace / limit:.0%} | {found['memory']:.2f} | "
                    f"{found['loss']:.3f} |",
                    flush=True,
                )


def make_data(dataset: Path, data: Path, windows: int) -> tuple[int, int, int]:
    """Write the data; returns the numbers of the model's weights, of labels and of tokens."""
    from selfchatbot.chat_format import IGNORED, ChatFormat
    from selfchatbot.messages import read_conversations
    from selfchatbot.models import load_model, load_tokenizer, quiet

    quiet()
    model = json.loads((dataset / "parameters.json").read_text(encoding="utf-8"))["model"]
    chat_format = ChatFormat(load_tokenizer(model))

    def first(name: str, enough: Any) -> tuple[list[str], list[Any]]:
        """Lines and windows of the first conversations, until ``enough`` is true of the windows."""
        lines = (dataset / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        path = data / f"{name}.jsonl"
        chosen: list[str] = []
        rows: list[Any] = []
        for line in lines:
            path.write_text(line + "\n", encoding="utf-8")
            rows += list(chat_format.windows(read_conversations(path), LENGTH))
            chosen.append(line)
            if enough(rows):
                break
        path.write_text("\n".join(chosen) + "\n", encoding="utf-8")
        return chosen, rows

    _, rows = first("train", lambda rows: len(rows) >= windows)
    _, validation = first(
        "validation", lambda rows: sum(label != IGNORED for row in rows for label in row.labels) >= VALIDATION_LABELS
    )
    for name, part in (("train", rows), ("validation", validation)):
        with (data / f"{name}.windows.jsonl").open("w", encoding="utf-8") as file:
            for row in part:
                file.write(json.dumps({"input_ids": row.input_ids, "labels": row.labels}) + "\n")
    # Validation during the run is not measured: one reply.
    line = json.loads((data / "validation.jsonl").read_text(encoding="utf-8").split("\n")[0])
    line["messages"] = line["messages"][:4]
    (data / "validation.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (data / "model").write_text(model, encoding="utf-8")
    weights = sum(parameter.numel() for parameter in load_model(model, torch.float32).parameters())
    labels = sum(label != IGNORED for row in rows for label in row.labels)
    return weights, labels, sum(len(row.input_ids) for row in rows)


def gemm_speed() -> float:
    """The best speed of a matrix product in GFLOP/s, in float32 on a CPU and bfloat16 on a GPU."""
    size, dtype = (8192, torch.bfloat16) if DEVICE == "cuda" else (1024, torch.float32)
    a, b = (torch.rand(size, size, dtype=dtype, device=DEVICE) for _ in range(2))
    best = 1e9
    for _ in range(30):
        start = time.perf_counter()
        torch.mm(a, b)
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def parameters(data: Path, method: str) -> Any:
    """The same for all; a step has about as many tokens as TRL's batch of 4 has without padding."""
    from selfchatbot.parameters import TrainingParameters

    return TrainingParameters(
        model=(data / "model").read_text(encoding="utf-8"),
        type_fine_tune=method,
        max_length=LENGTH,
        epochs=1.0,
        batch_size=3,
        learning_rate=5e-5 if method == "fine_tune" else 5e-4,
        evaluations_per_epoch=1,
        gradient_checkpointing=False,
        checkpoint_minutes=1e6,
        samples=0,
    )


def contest(data: Path, contestant: str, method: str) -> dict[str, float]:
    """Train once; returns seconds of the loop, peak memory of the process in GiB, loss afterwards."""
    from selfchatbot.models import quiet

    quiet()
    train = ours if contestant.startswith("selfchatbot") else trl
    model, seconds = train(data, method, contestant)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if DEVICE == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**30
    return {"seconds": seconds, "memory": memory, "loss": loss(model.to(DEVICE), data)}


def ours(data: Path, method: str, contestant: str) -> tuple[Any, float]:
    """`selfChatBot_train`'s own Trainer; its loop is timed."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    from selfchatbot.models import Machine
    from selfchatbot.trainer import Trainer
    from selfchatbot.trainer.loop import Loop

    spent: list[float] = []
    run = Loop.run

    def timed(self: Loop) -> bool:
        start = time.perf_counter()
        try:
            return run(self)
        finally:
            spent.append(time.perf_counter() - start)

    Loop.run = timed  # type: ignore[method-assign]
    machine = Machine("cpu", torch.float32) if contestant == "selfchatbot float32" else None
    Trainer(parameters(data, method), data, data / "results", machine=machine, restart=True).train()
    kind = AutoModelForCausalLM if method == "fine_tune" else AutoPeftModelForCausalLM
    return kind.from_pretrained(data / "results" / "final", dtype=torch.float32), spent[0]


def trl(data: Path, method: str, contestant: str) -> tuple[Any, float]:
    """`SFTTrainer` as in its documentation."""
    from datasets import Dataset
    from torch.optim.lr_scheduler import LambdaLR
    from trl import SFTConfig, SFTTrainer

    from selfchatbot.model_families import skeleton
    from selfchatbot.models import load_config, load_model, load_tokenizer
    from selfchatbot.trainer.adapter_targets import adapter_targets
    from selfchatbot.trainer.model_setup import adapters, four_bit
    from selfchatbot.trainer.schedule import rate_factor

    wanted = parameters(data, method)
    options = {"quantization_config": four_bit(torch.float32)} if method == "qlora" else {}

    class SameSchedule(SFTTrainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            shape = {"steps": num_training_steps, "warmup": wanted.warmup_ratio, "cooldown": wanted.cooldown_ratio}
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, partial(rate_factor, **shape))
            return self.lr_scheduler

    trainer = SameSchedule(
        model=load_model(wanted.model, torch.float32, **options),
        args=SFTConfig(
            output_dir=str(data / "trl"),
            max_length=LENGTH,
            packing=contestant == "TRL packing",
            per_device_train_batch_size=4,
            num_train_epochs=1,
            learning_rate=wanted.learning_rate,
            weight_decay=wanted.weight_decay,
            max_grad_norm=wanted.max_grad_norm,
            gradient_checkpointing=contestant == "TRL defaults",
            bf16=contestant in ("TRL bfloat16", "TRL defaults"),
            use_cpu=DEVICE == "cpu",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataset_num_proc=None,
        ),
        train_dataset=Dataset.from_list(read_windows(data, "train")),
        processing_class=load_tokenizer(wanted.model),
        peft_config=None
        if method == "fine_tune"
        else adapters(wanted, adapter_targets(skeleton(load_config(wanted.model)))),
    )
    start = time.perf_counter()
    trainer.train()
    return trainer.model, time.perf_counter() - start


def read_windows(data: Path, name: str) -> list[dict[str, list[int]]]:
    """The windows that `make_data` wrote."""
    text = (data / f"{name}.windows.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def loss(model: Any, data: Path) -> float:
    """Nats per trained token of the validation windows."""
    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for row in read_windows(data, "validation"):
            labels = torch.tensor(row["labels"][1:], device=DEVICE)
            logits = model(input_ids=torch.tensor([row["input_ids"]], device=DEVICE)).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            count += int((labels != -100).sum())
    return total / count


if __name__ == "__main__":
    main()
