"""How fast does the model generate, and what do smaller number formats cost?

    python benchmarks/play.py RESULTS [--tokens 60] [--rounds 2]       speed of several engines, side by side
    python benchmarks/play.py RESULTS --quality VALIDATION.jsonl       loss in nats per token, by number format
    python benchmarks/play.py RESULTS --ready ID                       seconds from the command to the first prompt
    python benchmarks/play.py RESULTS --turns TEST.jsonl               seconds per turn, by `best_of`

RESULTS is a Dataset_<ID>_<Name> folder in the results folder; the GGUF file is written into it. Each engine runs in a
process of its own, one after the other, `rounds` times; the best of each is shown. All use the same sampling
(temperature 0.8, top_p 0.95, with and without a repetition_penalty) and may not end the turn. The time to the first
token is for a new message of 20 tokens after a session that has been read before; `transformers generate` reads
everything again, as it does in practice. `--ready` must run in the folder of .env. `--turns` sends the others' turns of
the longest conversation in TEST.jsonl to the model, one after the other, and shows the median over the turns.
"""

import argparse
import json
import math
import os
import pty
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from play_engines import ENGINES, WINDOW, parameters_of

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine, quiet
from selfchatbot.player import Player
from selfchatbot.player.checkpoint import load_checkpoint, load_checkpoint_tokenizer
from selfchatbot.player.gguf_cache import checkpoint_gguf
from selfchatbot.player.reply.messages import split_messages

HISTORY_TOKENS = (0, 500, 1500)
PENALTIES = (1.1, 1.0)
MESSAGE_TOKENS = 20
BRACKETED_PASTE = b"\x1b[?2004h"
"""What the line editor sends when it is ready."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("results", type=Path)
    arguments.add_argument("--tokens", type=int, default=60)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--quality", type=Path)
    arguments.add_argument("--ready")
    arguments.add_argument("--turns", type=Path)
    arguments.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.engine:
        print(json.dumps(measure(chosen.results, chosen.engine, chosen.tokens)))
    elif chosen.quality:
        quality(chosen.results, chosen.quality)
    elif chosen.ready:
        ready(chosen.ready)
    elif chosen.turns:
        turns(chosen.results, chosen.turns)
    else:
        side_by_side(chosen.results, chosen.tokens, chosen.rounds)


def side_by_side(results: Path, tokens: int, rounds: int) -> None:
    """Print the table of all engines."""
    checkpoint_gguf(results / "best", parameters_of(results))
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        for engine in ENGINES:
            command = [sys.executable, __file__, str(results), "--tokens", str(tokens), "--engine", engine]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[engine].append(json.loads(output.splitlines()[-1]))
    print(
        "| engine |",
        *(f"tokens/s, repetition_penalty {penalty} |" for penalty in PENALTIES),
        *(f"first token after {size}, s |" for size in HISTORY_TOKENS),
        "load, s | memory, MiB |",
    )
    print("| --- |" + " ---: |" * (len(PENALTIES) + len(HISTORY_TOKENS) + 2))
    for engine, runs in found.items():
        cells = [f"{max(run[f'speed {penalty}'] for run in runs):.1f}" for penalty in PENALTIES]
        cells += [f"{min(run[f'first {size}'] for run in runs):.2f}" for size in HISTORY_TOKENS]
        cells += [f"{min(run['load'] for run in runs):.1f}", f"{min(run['memory'] for run in runs):.0f}"]
        print(f"| {engine} |", " | ".join(cells), "|")


def measure(results: Path, engine: str, tokens: int) -> dict[str, float]:
    """Speed (tokens/s), time to first token (s), time to load (s) and peak memory (MiB) of one engine."""
    start = time.perf_counter()
    quiet()
    chat_format = ChatFormat(load_checkpoint_tokenizer(results / "best"))
    generate = ENGINES[engine](results, chat_format)
    found = {"load": time.perf_counter() - start}
    text = "so what did you do today? i went to the lake with some friends, it was cold but nice. "
    words = chat_format.prompt([{"role": "user", "content": text * 120}], WINDOW)
    for size in HISTORY_TOKENS:
        history = words[:size] or words[:1]
        for _ in generate(history, 1, PENALTIES[0]):
            pass
        start = time.perf_counter()
        found[f"first {size}"] = next(generate([*history, *words[-MESSAGE_TOKENS:]], 1, PENALTIES[0])) - start
    for penalty in PENALTIES:
        speeds = []
        for _ in range(2):
            times = list(generate(words[:40], tokens, penalty))
            speeds.append((len(times) - 1) / (times[-1] - times[0]))
        found[f"speed {penalty}"] = max(speeds)
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def quality(results: Path, validation: Path, labels: int = 1_500) -> None:
    """Print the loss on my words in the first windows of the validation set, for each number format."""
    import torch

    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    quiet()
    parameters = parameters_of(results)
    loaded = load_checkpoint(results / "best", parameters, Machine("cpu", torch.float32))
    chat_format = ChatFormat(loaded.tokenizer)
    windows = []
    for window in chat_format.windows(read_conversations(validation), parameters.max_length):
        windows.append(window)
        if sum(label != IGNORED for one in windows for label in one.labels) >= labels:
            break
    model: Any = loaded.model
    print(f"float32: {_loss(model, windows):.4f} nats per token")
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16()
    print(f"bfloat16: {_loss(model, windows):.4f}")
    del model, loaded
    for quantization in ("f16", "q8_0"):
        engine = LlamaCppEngine(checkpoint_gguf(results / "best", parameters, quantization), parameters.max_length)
        total, count = 0.0, 0
        for window in windows:
            for place, label in enumerate(window.labels):
                if label != IGNORED:
                    total -= engine.log_probability(window.input_ids[:place], label, chat_format.end)
                    count += 1
        print(f"{quantization} GGUF: {total / count:.4f}")


def _loss(model: Any, windows: list[Any]) -> float:
    import torch

    total, count = 0.0, 0
    with torch.inference_mode():
        for window in windows:
            logits = model(input_ids=torch.tensor([window.input_ids])).logits[0, :-1].float()
            labels = torch.tensor(window.labels[1:])
            losses = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
            total += float(losses)
            count += int((labels != IGNORED).sum())
    return total / count


def ready(dataset: str) -> None:
    """Print the seconds from the command to the first prompt, and to the first reply if one types at once."""
    for engine in ("llama.cpp", "transformers"):
        prompt, reply = math.inf, math.inf
        for _ in range(3):
            start = time.perf_counter()
            master, slave = pty.openpty()
            command = [sys.executable, "-m", "selfchatbot.cli.play", "-d", dataset, "--engine", engine, "--no-history"]
            with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL) as process:
                os.close(slave)
                read_until(master, BRACKETED_PASTE)
                prompt = min(prompt, time.perf_counter() - start)
                os.write(master, b"hey\r")
                read_until(master, BRACKETED_PASTE)
                reply = min(reply, time.perf_counter() - start)
                os.write(master, b"exit\r")
                process.wait()
            os.close(master)
        print(f"{engine}: {prompt:.1f} s, first reply {reply:.1f} s")


def turns(results: Path, test: Path, count: int = 20) -> None:
    """Print the seconds from a message to the first and to the last message of the reply, with both engines."""
    quiet()
    longest = max(read_conversations(test), key=len)
    sent = [message for message in longest if message["role"] == "user"][:count]
    print("| engine | best_of | first message, s | whole reply, s | tokens per reply |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for engine in ("transformers", "llama.cpp"):
        for best_of in (1, 2, 4):
            changes = {"best_of": best_of, "seed": 1}
            player = Player(results / "best", parameters_of(results).model_copy(update=changes), engine=engine)
            chat: list[dict[str, str]] = []
            first, whole, tokens = [], [], []
            for message in sent:
                chat.append(message)
                start = time.perf_counter()
                times, reply = [], []
                for part in split_messages(player.stream(chat)):
                    times.append(time.perf_counter() - start)
                    reply.append(part)
                first.append(times[0])
                whole.append(times[-1])
                chat.append({"role": "assistant", "content": "\n".join(reply)})
                tokens.append(len(player.chat_format.turn(chat[-1]["content"])))
            cells = f"{statistics.median(first):.2f} | {statistics.median(whole):.2f} | {statistics.mean(tokens):.0f}"
            print(f"| {engine} | {best_of} | {cells} |", flush=True)


def read_until(terminal: int, mark: bytes) -> None:
    """Read what is shown until ``mark`` appears."""
    shown = b""
    while mark not in shown:
        shown += os.read(terminal, 65536)


if __name__ == "__main__":
    main()
