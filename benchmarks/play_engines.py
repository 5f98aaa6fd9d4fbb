"""The programs that benchmarks/play.py compares, each as a function from prompt to the times of its tokens."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfchatbot.chat_format import ChatFormat
from selfchatbot.models import Machine, fast_machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.protocol import Engine, Sampling
from selfchatbot.player.gguf_cache import checkpoint_gguf

WINDOW = 2048
Generate = Callable[[list[int], int, float], Iterator[float]]
"""From a prompt, a number of tokens and a repetition penalty to the time of each token (`time.perf_counter`)."""


def parameters_of(results: Path) -> GenerationParameters:
    return read_parameters(results / "parameters.json", GenerationParameters)


def our_transformers(results: Path, chat_format: ChatFormat) -> Generate:
    from selfchatbot.player.engines.transformers import TransformersEngine

    loaded = load_checkpoint(results / "best", parameters_of(results), fast_machine())
    return _timed(TransformersEngine(loaded.model, WINDOW), chat_format)


def our_llamacpp(results: Path, chat_format: ChatFormat) -> Generate:
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    return _timed(LlamaCppEngine(checkpoint_gguf(results / "best", parameters_of(results)), WINDOW), chat_format)


def _timed(engine: Engine, chat_format: ChatFormat) -> Generate:
    def generate(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
        never = frozenset(chat_format.special)
        sampling = Sampling(0.8, 0.95, 0, penalty, tokens, chat_format.end, never, seed=1, log_probabilities=False)
        for _ in engine.generate(prompt, sampling):
            yield time.perf_counter()

    return generate


def transformers_generate(results: Path, chat_format: ChatFormat) -> Generate:
    """As in its documentation: float32, a new cache for each call."""
    import torch

    model: Any = load_checkpoint(results / "best", parameters_of(results), Machine("cpu", torch.float32)).model

    class TimeStreamer:
        """A streamer that records when each token arrives."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, _: object) -> None:
            self.times.append(time.perf_counter())

        def end(self) -> None:
            pass

    def generate(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
        ids = torch.tensor([prompt])
        streamer = TimeStreamer()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            streamer=streamer,
            do_sample=True,
            temperature=0.8,
            top_p=0.95,
            top_k=0,
            repetition_penalty=penalty,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=chat_format.end,
        )
        yield from streamer.times[1:]  # the first one is the prompt

    return generate


def llamacpp_loop(results: Path, chat_format: ChatFormat) -> Generate:
    """llama.cpp generates by itself and streams its tokens."""
    import xllamacpp

    from selfchatbot.player.engines.llamacpp_server import physical_cores

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(checkpoint_gguf(results / "best", parameters_of(results)))
    parameters.n_ctx = WINDOW
    parameters.verbosity = 0
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = physical_cores()
    server = xllamacpp.Server(parameters)

    def generate(prompt: list[int], tokens: int, penalty: float) -> Iterator[float]:
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

    return generate


ENGINES = {
    "transformers generate": transformers_generate,
    "our transformers": our_transformers,
    "llama.cpp's own loop": llamacpp_loop,
    "our llama.cpp": our_llamacpp,
}
