"""How fast are training and playing on a GPU, and how much memory do they take? Sized for ten minutes.

    pip install trl liger-kernel   # to compare with; what is not installed is left out
    python benchmarks/gpu.py FOLDER [--models Llama-3.1-8B ...] [--methods lora qlora] [--windows 1024 4096]
    python benchmarks/gpu.py FOLDER --dry   # on a CPU, with a tiny model: does the script work?

Writes models with random weights of real shapes into FOLDER: they take as long as the real ones. Each run is a
process of its own, and none begins after --minutes. A step has about --tokens tokens, in windows that are full of
them. Tokens/s are those of all steps, the first included. Of the card's speed: the operations of the matrix products,
as if the logits of all tokens were computed, and of causal attention, compared with `torch.mm` in bfloat16 on the
same card (float32 on a CPU). The memory is the most that torch allocated (on a CPU: the most that the process had).
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from gpu_memory import MODELS, write_model
from memory import write_data
from train import DEVICE, gemm_speed
from transformers import LlamaConfig, Qwen3Config

from selfchatbot.models import quiet

STEPS = 8
DECODED = 128
"""Tokens of a reply."""
PROMPT = 500
TINY = LlamaConfig(
    vocab_size=49152,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=2048,
    tie_word_embeddings=True,
)
QWEN3_4B = Qwen3Config(
    vocab_size=151936,
    hidden_size=2560,
    intermediate_size=9728,
    num_hidden_layers=36,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    tie_word_embeddings=True,
)
PROCESSES: Any = multiprocessing.get_context("fork" if DEVICE == "cpu" and sys.platform == "linux" else "spawn")
"""Forked, they need not import anything again; but CUDA can't be used in a process that was forked from one with it."""
SHAPES = {
    "Llama-3.1-8B": MODELS["Llama-3.1-8B"],
    "Llama-3.2-1B": MODELS["Llama-3.2-1B"],
    "Qwen3-4B": QWEN3_4B,
    "tiny": TINY,
}


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=[name for name in SHAPES if name != "tiny"])
    parser.add_argument("--methods", nargs="+", choices=("lora", "qlora"), default=["lora", "qlora"])
    parser.add_argument("--windows", nargs="+", type=int, default=[1024, 4096])
    parser.add_argument("--tokens", type=int, default=8192, help="of a step")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--dry", action="store_true", help="a tiny model, on any machine")
    chosen = parser.parse_args()
    if chosen.dry:
        chosen.models, chosen.windows, chosen.tokens = ["tiny"], [64], 128
    elif DEVICE != "cuda":
        parser.error("needs CUDA: --dry runs on a CPU")
    end = time.monotonic() + 60 * chosen.minutes
    decoded = 8 if chosen.dry else DECODED
    name, speed = apart(60, card)
    print(f"{name}, torch.mm {speed / 1e3:.1f} TFLOP/s\n")
    print("| model | what | window | who | tokens/s | of the card's speed | peak memory, GiB |")
    print("|---|---|---:|---|---:|---:|---:|", flush=True)
    for name in chosen.models:
        if time.monotonic() > end:
            print(f"| {name} | | | not run: no time left | | | |", flush=True)
            continue
        model, data = chosen.folder / name, chosen.folder / "data"
        apart(600, write_model, model, SHAPES[name], DEVICE)
        for method in chosen.methods:
            for window in chosen.windows:
                shutil.rmtree(data, ignore_errors=True)
                data.mkdir(parents=True)
                batch = max(1, chosen.tokens // window)
                write_data(data, str(model), method, window, False, STEPS * batch, batch_size=batch)
                limit = speed * 1e9 / operations(SHAPES[name], window)
                for who in ("selfchatbot", *(["TRL"] if find_spec("trl") else [])):
                    report(f"| {name} | {method} | {window} | {who} |", end, limit, TRAINERS[who], data, method)
            if method == "lora":
                for who in ("transformers", *(["llama.cpp"] if find_spec("xllamacpp") else [])):
                    report(f"| {name} | decode | | {who} |", end, None, decode, data / "results", who, decoded)
        shutil.rmtree(model)
    shutil.rmtree(data, ignore_errors=True)


def report(row: str, end: float, limit: float | None, measure: Callable[..., Any], *arguments: object) -> None:
    """Measure, unless it is later than ``end``; ``limit``: tokens/s at the card's full speed."""
    left = end - time.monotonic()
    if left <= 0:
        print(f"{row} not run: no time left | | |", flush=True)
        return
    try:
        found = apart(left + 60, measure, *arguments)
    except TimeoutError:
        print(f"{row} not complete: no time left | | |", flush=True)
    except RuntimeError as error:
        print(f"{row} failed: {error} | | |", flush=True)
    else:
        share = f"{found['tokens_per_second'] / limit:.0%}" if limit else ""
        print(f"{row} {found['tokens_per_second']:,.0f} | {share} | {found['memory']:.1f} |", flush=True)


def apart(seconds: float, function: Callable[..., Any], *arguments: object) -> Any:
    """What ``function`` returns in a process of its own.

    Raises TimeoutError if that takes longer, and RuntimeError, in one line, for whatever goes wrong in it.
    """
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            raise TimeoutError
        answer, error = receiver.recv()
    except EOFError:
        error = "it has ended without a message"
    finally:
        process.kill()
        process.join()
    if error:
        raise RuntimeError(error)
    return answer


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    with Path(os.devnull).open("w") as nowhere:  # only the table is printed
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        sender.send((function(*arguments), ""))
    except Exception as error:
        sender.send((None, f"{type(error).__name__}: {error}".split("\n")[0]))


def card() -> tuple[str, float]:
    """Its name, and the speed of `torch.mm` in GFLOP/s."""
    return torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU", gemm_speed()


def operations(config: Any, window: int) -> float:
    """Floating point operations for each token of LoRA: the weights forward and backward to the activations (4 each).

    And causal attention: two products of (window / 2) x (heads x head size), once forward and twice backward.
    """
    from selfchatbot.trainer.memory_estimate import ModelShape

    looked_up = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = 6 * window * config.num_attention_heads * head_size * config.num_hidden_layers
    return 4.0 * (ModelShape(config).parameters - looked_up) + attention


def ours(data: Path, _method: str) -> dict[str, float]:
    """`selfChatBot_train`'s own loop."""
    from selfchatbot.parameters import TrainingParameters, read_parameters
    from selfchatbot.trainer import Trainer

    quiet()
    Trainer(read_parameters(data / "parameters.json", TrainingParameters), data, data / "results").train()
    lines = (data / "results" / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    paces = [pace for line in lines if (pace := json.loads(line).get("tokens_per_second"))]
    return {"tokens_per_second": paces[-1], "memory": peak_memory()}


def trl(data: Path, method: str) -> dict[str, float]:
    """`SFTTrainer` on the same text, cut into full windows; with Liger's kernels if they are installed."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from selfchatbot.chat_format import ChatFormat
    from selfchatbot.messages import read_conversations
    from selfchatbot.model_families import skeleton
    from selfchatbot.models import load_config, load_model, load_tokenizer
    from selfchatbot.parameters import TrainingParameters, read_parameters
    from selfchatbot.trainer.adapter_targets import adapter_targets
    from selfchatbot.trainer.model_setup import adapters, four_bit

    quiet()
    wanted = read_parameters(data / "parameters.json", TrainingParameters)
    tokenizer = load_tokenizer(wanted.model)
    rows = list(ChatFormat(tokenizer).windows(read_conversations(data / "train.jsonl"), wanted.max_length))
    pairs = [pair for row in rows for pair in zip(row.input_ids, row.labels, strict=True)]
    starts = range(0, len(pairs) - wanted.max_length + 1, wanted.max_length)
    windows = [tuple(zip(*pairs[start : start + wanted.max_length], strict=True)) for start in starts]
    number_format = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    options = {"quantization_config": four_bit(number_format)} if method == "qlora" else {}
    trainer = SFTTrainer(
        model=load_model(wanted.model, number_format, **options),
        args=SFTConfig(
            output_dir=str(data / "trl"),
            max_length=wanted.max_length,
            per_device_train_batch_size=wanted.batch_size,
            num_train_epochs=1,
            learning_rate=1e-5,
            gradient_checkpointing=False,
            bf16=DEVICE == "cuda",
            use_cpu=DEVICE == "cpu",
            use_liger_kernel=DEVICE == "cuda" and find_spec("liger_kernel") is not None,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"input_ids": list(ids), "labels": list(labels)} for ids, labels in windows]),
        processing_class=tokenizer,
        peft_config=adapters(wanted, adapter_targets(skeleton(load_config(wanted.model)))),
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    return {"tokens_per_second": len(windows) * wanted.max_length / seconds, "memory": peak_memory()}


def decode(results: Path, engine: str, tokens: int) -> dict[str, float]:
    """``tokens`` of one reply by one of the project's engines, after the first one."""
    from play_engines import our_llamacpp, our_transformers

    from selfchatbot.chat_format import ChatFormat
    from selfchatbot.player.checkpoint import load_checkpoint_tokenizer

    quiet()
    chat_format = ChatFormat(load_checkpoint_tokenizer(results / "best"))
    generate = (our_transformers if engine == "transformers" else our_llamacpp)(results, chat_format)
    prompt = chat_format.prompt([{"role": "user", "content": "how are you doing today? " * 100}], PROMPT)
    list(generate(prompt, tokens, 1.0))  # the first use of everything
    times = list(generate(prompt, tokens, 1.0))
    return {"tokens_per_second": (len(times) - 1) / (times[-1] - times[0]), "memory": peak_memory()}


def peak_memory() -> float:
    """In GiB."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


TRAINERS = {"selfchatbot": ours, "TRL": trl}

if __name__ == "__main__":
    main()
