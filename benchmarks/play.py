"""How fast does the model speak, and what do smaller number formats cost?

    python benchmarks/play.py RESULTS [--tokens 60] [--rounds 2]       speed, side by side in one run
    python benchmarks/play.py RESULTS --quality VALIDATION.jsonl       nats per trained token, by number format
    python benchmarks/play.py RESULTS --ready ID                       seconds from the command to the first prompt
    python benchmarks/play.py RESULTS --turns TEST.jsonl               seconds of a turn, by `best_of`

RESULTS is a Dataset_<ID>_<Name> folder of the results (it gets the GGUF file). Every speaker runs in a process of its
own, one after the other, `rounds` times; the best of each is shown. All sample alike (temperature 0.8, top_p 0.95, and
both with a repetition_penalty and without) and are not allowed to end. Time to first token is that of a new message of
20 tokens after so many tokens of a session that were read before; `transformers generate` reads everything again, as it
does. `--ready` wants the folder of .env as working directory. `--turns` says what the others said in the longest
conversation of TEST.jsonl, one after the other, to the model, and takes the median over the turns.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.player.checkpoint import load_checkpoint, load_checkpoint_tokenizer
from selfchatbot.player.engines.protocol import Engine, Sampling
from selfchatbot.player.gguf_cache import checkpoint_gguf
from selfchatbot.player.reply.messages import split_messages

SPEAKERS = ("transformers generate", "our transformers", "llama.cpp's own loop", "our llama.cpp")
HISTORIES = (0, 500, 1500)
PENALTIES = (1.1, 1.0)
MESSAGE = 20
BRACKETED_PASTE = b"\x1b[?2004h"
"""What the line editor sends when it is ready."""
WINDOW = 2048
Speak = Callable[[list[int], int, float], Iterator[float]]
"""From a prompt, a number of tokens and a repetition penalty to the moments when they came."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("results", type=Path)
    arguments.add_argument("--tokens", type=int, default=60)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--quality", type=Path)
    arguments.add_argument("--ready")
    arguments.add_argument("--turns", type=Path)
    arguments.add_argument("--speaker", choices=SPEAKERS, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.speaker:
        print(json.dumps(measure(chosen.results, chosen.speaker, chosen.tokens)))
    elif chosen.quality:
        quality(chosen.results, chosen.quality)
    elif chosen.ready:
        ready(chosen.ready)
    elif chosen.turns:
        turns(chosen.results, chosen.turns)
    else:
        side_by_side(chosen.results, chosen.tokens, chosen.rounds)


def side_by_side(results: Path, tokens: int, rounds: int) -> None:
    """The table of all speakers."""
    checkpoint_gguf(results / "best", parameters_of(results))
    found: dict[str, list[dict[str, float]]] = {speaker: [] for speaker in SPEAKERS}
    for _ in range(rounds):
        for speaker in SPEAKERS:
            command = [sys.executable, __file__, str(results), "--tokens", str(tokens), "--speaker", speaker]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[speaker].append(json.loads(output.splitlines()[-1]))
    print(
        "| speaker |",
        *(f"tokens/s, repetition_penalty {penalty} |" for penalty in PENALTIES),
        *(f"first token after {size}, s |" for size in HISTORIES),
        "load, s | memory, MiB |",
    )
    print("| --- |" + " ---: |" * (len(PENALTIES) + len(HISTORIES) + 2))
    for speaker, runs in found.items():
        cells = [f"{max(run[f'speed {penalty}'] for run in runs):.1f}" for penalty in PENALTIES]
        cells += [f"{min(run[f'first {size}'] for run in runs):.2f}" for size in HISTORIES]
        cells += [f"{min(run['load'] for run in runs):.1f}", f"{min(run['memory'] for run in runs):.0f}"]
        print(f"| {speaker} |", " | ".join(cells), "|")


def measure(results: Path, speaker: str, tokens: int) -> dict[str, float]:
    """Speed (tokens/s), time to first token (s), time to load (s) and peak memory (MiB) of one speaker."""
    start = time.perf_counter()
    quiet()
    chat_format = ChatFormat(load_checkpoint_tokenizer(results / "best"))
    speak = {
        "transformers generate": generate,
        "our transformers": ours,
        "llama.cpp's own loop": own_loop,
        "our llama.cpp": ours_quick,
    }[speaker](results, chat_format)
    found = {"load": time.perf_counter() - start}
    text = "so what did you do today? i went to the lake with some friends, it was cold but nice. "
    words = chat_format.prompt([{"role": "user", "content": text * 120}], WINDOW)
    for size in HISTORIES:
        history = words[:size] or words[:1]
        for _ in speak(history, 1, PENALTIES[0]):
            pass
        start = time.perf_counter()
        found[f"first {size}"] = next(speak([*history, *words[-MESSAGE:]], 1, PENALTIES[0])) - start
    for penalty in PENALTIES:
        speeds = []
        for _ in range(2):
            moments = list(speak(words[:40], tokens, penalty))
            speeds.append((len(moments) - 1) / (moments[-1] - moments[0]))
        found[f"speed {penalty}"] = max(speeds)
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def parameters_of(results: Path) -> GenerationParameters:
    return read_parameters(results / "parameters.json", GenerationParameters)


def sampling(chat_format: ChatFormat, tokens: int, penalty: float) -> Sampling:
    never = frozenset(chat_format.special)
    return Sampling(0.8, 0.95, 0, penalty, tokens, chat_format.end, never, seed=1, log_probabilities=False)


def engine_speaks(engine: Engine, chat_format: ChatFormat) -> Speak:
    def speak(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
        for _ in engine.generate(prompt, sampling(chat_format, tokens, penalty)):
            yield time.perf_counter()

    return speak


def ours(results: Path, chat_format: ChatFormat) -> Speak:
    from selfchatbot.player.engines.transformers import TransformersEngine

    loaded = load_checkpoint(results / "best", parameters_of(results), fast_machine())
    return engine_speaks(TransformersEngine(loaded.model, WINDOW), chat_format)


def ours_quick(results: Path, chat_format: ChatFormat) -> Speak:
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    return engine_speaks(LlamaCppEngine(checkpoint_gguf(results / "best", parameters_of(results)), WINDOW), chat_format)


def generate(results: Path, chat_format: ChatFormat) -> Speak:
    """As its documentation shows it: float32, the cache of one call."""
    import torch

    model: Any = load_checkpoint(results / "best", parameters_of(results), Machine("cpu", torch.float32)).model

    class Moments:
        """A streamer that notes when each token came."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, _: object) -> None:
            self.times.append(time.perf_counter())

        def end(self) -> None:
            pass

    def speak(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
        ids = torch.tensor([prompt])
        moments = Moments()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            streamer=moments,
            do_sample=True,
            temperature=0.8,
            top_p=0.95,
            top_k=0,
            repetition_penalty=penalty,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=chat_format.end,
        )
        yield from moments.times[1:]  # the prompt comes first

    return speak


def own_loop(results: Path, chat_format: ChatFormat) -> Speak:
    """llama.cpp generates by itself; it only tells what it has."""
    import xllamacpp

    from selfchatbot.player.engines.llamacpp_server import physical_cores

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(checkpoint_gguf(results / "best", parameters_of(results)))
    parameters.n_ctx = WINDOW
    parameters.verbosity = 0
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = physical_cores()
    server = xllamacpp.Server(parameters)

    def speak(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
        times: list[float] = []
        request = {
            "prompt": prompt,
            "n_predict": tokens,
            "temperature": 0.8,
            "top_p": 0.95,
            "top_k": 0,
            "min_p": 0,
            "repeat_penalty": penalty,
            "samplers": ["penalties", "temperature", "top_k", "top_p"],
            "logit_bias": [[token, False] for token in chat_format.special],
            "stream": True,
        }
        server.handle_completions(request, lambda _: bool(times.append(time.perf_counter())))
        yield from times[:tokens]

    return speak


def quality(results: Path, validation: Path, labels: int = 1_500) -> None:
    """Mean negative log-likelihood of my words in the first windows of the validation set, for each number format."""
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
    print(f"float32: {_loss(model, windows):.4f} nats per trained token")
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
    """Seconds from the command to the first prompt at a terminal, and to the first reply of one who types at once."""
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
    """Seconds from what is said to the first message of the reply and to its last, with either engine."""
    quiet()
    longest = max(read_conversations(test), key=len)
    said = [message for message in longest if message["role"] == "user"][:count]
    print("| engine | best_of | first message, s | all, s | tokens of a reply |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for engine in ("transformers", "llama.cpp"):
        for best_of in (1, 2, 4):
            changes = {"best_of": best_of, "seed": 1}
            player = Player(results / "best", parameters_of(results).model_copy(update=changes), engine=engine)
            chat: list[dict[str, str]] = []
            first, whole, tokens = [], [], []
            for message in said:
                chat.append(message)
                start = time.perf_counter()
                moments, reply = [], []
                for bubble in split_messages(player.stream(chat)):
                    moments.append(time.perf_counter() - start)
                    reply.append(bubble)
                first.append(moments[0])
                whole.append(moments[-1])
                chat.append({"role": "assistant", "content": "\n".join(reply)})
                tokens.append(len(player.chat_format.turn(chat[-1]["content"])))
            cells = f"{statistics.median(first):.2f} | {statistics.median(whole):.2f} | {statistics.mean(tokens):.0f}"
            print(f"| {engine} | {best_of} | {cells} |", flush=True)


def read_until(terminal: int, mark: bytes) -> None:
    """Read what is shown, up to ``mark``."""
    shown = b""
    while mark not in shown:
        shown += os.read(terminal, 65536)


if __name__ == "__main__":
    main()
