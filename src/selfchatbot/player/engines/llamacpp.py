"""The quick engine, with the optional package `xllamacpp`: llama.cpp's server, in this process, on a GGUF file.

A request holds the whole sequence so far and asks for one token, or for a few where that comes to the same. llama.cpp
keeps what it has read, so a request costs little more than the next step of its own loop (benchmarks/play.py), and each
can say for itself which tokens may not follow and of how many last tokens repetition counts: those of the reply, not
those of the prompt. A reply that isn't wanted any more ends between two requests.

The requests go over HTTP and not through `Server.handle_completions`, because only the former tells the ids of tokens
that are a part of a character, as those of most emoji are. The port is of 127.0.0.1 and asks for a random key.
"""

import http.client
import json
import math
import os
import random
import secrets
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError
from selfchatbot.player.engines.protocol import Sampling, Token

SLOTS = 4
"""Sequences that are kept, and so candidates at once; more come in groups."""
SCORING = 2
"""The last so many of them are where given replies are read, so that those don't take the place of a conversation."""
MOST_AT_ONCE = 16
BYTES_AT_ONCE = 2**31
"""Of weights that are read for one request: as many tokens come at once, up to the most, as that lets read the model.

What a request costs beyond its tokens is felt with small models only, a wait for several tokens with large ones.
"""
CERTAIN = 1_000.0
"""Added to a logit, it leaves no choice."""
LIKELIEST = 1_024
"""Among so many tokens the probability of a part of a character is looked for."""


class LlamaCppEngine:
    """A loaded GGUF file. Raises SelfChatBotError when llama.cpp can't load it.

    ``window`` is cut to the positions that the model has. ``exact``: what was read is kept in float32, not in float16,
    for comparisons with what transformers computes.
    """

    def __init__(self, gguf: Path, window: int, threads: int | None = None, exact: bool = False) -> None:
        import xllamacpp

        self._key = secrets.token_urlsafe(32)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(gguf)
        parameters.n_ctx = SLOTS * window
        parameters.n_parallel = SLOTS
        parameters.cache_ram_mib = 0
        if not any("gpu" in str(device["type"]).lower() for device in xllamacpp.get_device_info()):
            # On a CPU, a message after a long history is read in half the time so.
            parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if exact:
            parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        parameters.warmup = False
        parameters.verbosity = 0
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [self._key]
        parameters.cors_origins = ""
        parameters.endpoint_slots = False
        parameters.ui = False
        threads = threads or cores()
        parameters.cpuparams.n_threads = threads
        parameters.cpuparams_batch.n_threads = threads
        self._at_once = max(1, min(MOST_AT_ONCE, BYTES_AT_ONCE // gguf.stat().st_size))
        self._connections = threading.local()
        self._workers = ThreadPoolExecutor(SLOTS, "llama.cpp")
        # By a worker, which Python waits for at its end: a Ctrl-C ends the waiting, never the loading.
        self.window = min(window, self._workers.submit(self._load, parameters).result())

    def _load(self, parameters: Any) -> int:
        """Start the server and wait until it works; the positions that the model has."""
        import xllamacpp

        try:
            self._server = xllamacpp.Server(parameters)
        except Exception as error:
            raise SelfChatBotError(f"llama.cpp can't load {parameters.model.path} ({type(error).__name__})") from error
        self._address = self._server.listening_address.removeprefix("http://")
        # Its loop answers this one. Ended before that has begun, the server would wait for it for ever.
        self._ask("/lora-adapters", None)
        return int(self._ask("/v1/models", None)["data"][0]["meta"]["n_ctx_train"])

    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        seeds = random.Random(sampling.seed)  # None: another one in every call
        for first in range(0, count, SLOTS):
            group = range(first, min(first + SLOTS, count))
            yield from self._together(prompt, sampling, group, seeds)

    def _together(
        self, prompt: list[int], sampling: Sampling, group: range, seeds: random.Random
    ) -> Generator[Token, None, None]:
        """Tokens of some candidates, all that haven't ended as many further in each round.

        The first tokens come from one request: llama.cpp reads the prompt once and copies what it has read.
        """
        own = [random.Random(seeds.getrandbits(64)) for _ in group]
        replies: list[list[int]] = [[] for _ in group]
        # With a penalty, what counts as said is told anew for each token.
        at_once = self._at_once if sampling.repetition_penalty == 1 else 1
        answers = self._steps(prompt, [], sampling, seeds.getrandbits(31), count=len(group))
        running = list(range(len(group)))
        length = 1
        while True:
            for candidate, answer in zip(running, answers, strict=True):
                for token, log_probability in answer:
                    replies[candidate].append(token)
                    yield Token(group[candidate], token, log_probability)
            running = [candidate for candidate in running if replies[candidate][-1] != sampling.end]
            more = min(at_once, sampling.max_new_tokens - length)
            if not running or not more:
                return
            length += more
            work = [(prompt, replies[one], sampling, own[one].getrandbits(31), more) for one in running]
            if len(work) == 1:
                answers = self._steps(*work[0])
            else:
                answers = [
                    answer for found in self._workers.map(lambda step: self._steps(*step), work) for answer in found
                ]

    def _steps(
        self, prompt: list[int], reply: list[int], sampling: Sampling, seed: int, length: int = 1, count: int = 1
    ) -> list[list[tuple[int, float]]]:
        """The next ``length`` tokens after ``prompt`` and ``reply``, fewer where a turn ends, each with its
        log-probability, chosen ``count`` times."""
        never = sampling.never if reply or sampling.may_be_empty else sampling.never | {sampling.end}
        request = {
            "prompt": prompt + reply,
            "n_predict": length,
            "n": count,
            "samplers": ["penalties", "temperature", "top_k", "top_p"],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": len(reply),
            "logit_bias": [[token, False] for token in never],
            "seed": seed,
            # To tell a probability, llama.cpp sorts the whole vocabulary: a quarter of a small model's time.
            "n_probs": int(sampling.log_probabilities),
            "return_tokens": True,
            "response_fields": ["tokens", "completion_probabilities"],
        }
        answers = self._ask("/completion", request)
        found = []
        for answer in answers if isinstance(answers, list) else [answers]:
            if not sampling.log_probabilities:
                found.append([(token, math.nan) for token in answer["tokens"]])
                continue
            told = list(answer.get("completion_probabilities") or ())
            steps: list[tuple[int, float]] = []
            for token in answer["tokens"]:
                if told and told[0]["id"] == token:
                    steps.append((token, float(told.pop(0)["logprob"])))
                else:
                    before = [*prompt, *reply, *(one for one, _ in steps)]
                    steps.append((token, self._part_of_character(before, token, sampling.end)))
            found.append(steps)
        return found

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        """Token by token, as llama.cpp tells nothing about what it only reads."""
        workers = SCORING if len(continuations) > 1 else 1

        def of(worker: int) -> list[float]:
            return [
                sum(
                    self.log_probability(prompt + ids[:place], token, prompt[-1], SLOTS - 1 - worker)
                    for place, token in enumerate(ids)
                )
                for ids in continuations[worker::workers]
            ]

        found = [0.0] * len(continuations)
        for worker, sums in enumerate(self._workers.map(of, range(workers))):
            found[worker::workers] = sums
        return found

    def log_probability(self, sequence: list[int], token: int, end: int, slot: int = -1) -> float:
        """Natural logarithm of what the model gives ``token`` after ``sequence``; ``end`` is any token that is text.

        ``slot``: where it is read; -1 leaves the choice to llama.cpp.
        """
        told = self._certain(sequence, token, 1, slot)
        return float(told[0]["logprob"]) if told else self._part_of_character(sequence, token, end, slot)

    def _part_of_character(self, sequence: list[int], token: int, end: int, slot: int = -1) -> float:
        """The same of a token whose bytes are no whole character: llama.cpp tells it only beside one that is.

        For a token that isn't among the likeliest, that of the least likely of them.
        """
        likeliest = self._certain(sequence, end, LIKELIEST, slot)[0]["top_logprobs"]
        known = {one["id"]: float(one["logprob"]) for one in likeliest}
        return known.get(token, min(known.values()))

    def _certain(self, sequence: list[int], token: int, likeliest: int, slot: int) -> Any:
        """What llama.cpp tells about a choice that it doesn't have."""
        request = {
            "prompt": sequence,
            "n_predict": 1,
            "temperature": 0,
            "logit_bias": [[token, CERTAIN]],
            "n_probs": likeliest,
            "id_slot": slot,
            "response_fields": ["completion_probabilities"],
        }
        return self._ask("/completion", request).get("completion_probabilities")

    def _ask(self, path: str, request: dict[str, Any] | None) -> Any:
        """An answer of the server, over a connection that each thread keeps. Raises SelfChatBotError for a refusal."""
        kept = getattr(self._connections, "one", None)
        try:
            status, answer = self._exchange(path, request)
        except ConnectionError:
            # llama.cpp closes a connection on which nothing came for some seconds.
            if kept is None:
                raise
            status, answer = self._exchange(path, request)
        if status != 200:
            raise SelfChatBotError(f"llama.cpp refused a request ({status})")
        return answer

    def _exchange(self, path: str, request: dict[str, Any] | None) -> tuple[int, Any]:
        """Status and answer of one request, over the kept connection or a new one."""
        connection = getattr(self._connections, "one", None)
        if connection is None:
            connection = self._connections.one = http.client.HTTPConnection(self._address)
        try:
            connection.request(
                "GET" if request is None else "POST",
                path,
                None if request is None else json.dumps(request),
                {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except BaseException:  # Ctrl-C too: what is left in the pipe belongs to nobody
            connection.close()
            self._connections.one = None
            raise
        return response.status, answer


def cores() -> int:
    """Real cores that this process may use: a second thread on one of them gains nothing."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))
