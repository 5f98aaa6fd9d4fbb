"""The fast engine: llama.cpp on a GGUF file, with the optional package `xllamacpp`.

Each request holds the whole sequence so far and asks for the next token, or for the next few where that gives the same
reply. llama.cpp caches what it has read, so a request costs little more than a step of its own loop
(benchmarks/play.py). In exchange, each request can forbid tokens and limit the repetition penalty to the tokens of the
reply, and a reply can be stopped between two requests.
"""

import math
import random
import shutil
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfchatbot.chat_format import ChatFormat
from selfchatbot.chat_format.saved import load_chat_format, save_chat_format
from selfchatbot.errors import SelfChatBotError
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint_tokenizer
from selfchatbot.player.engines.guided_choice import choose
from selfchatbot.player.engines.llamacpp_server import LlamaCppServer, uses_gpu
from selfchatbot.player.engines.protocol import LoadedEngine, Sampling, Token
from selfchatbot.player.gguf_cache import checkpoint_gguf, format_file
from selfchatbot.player.reply.repetition import repeating_tokens

SLOTS = 4
"""Sequences that are cached, and so candidates that are generated together; more come in groups."""
SCORING_SLOTS = 2
"""The last slots, in which given replies are scored, so that they don't replace the cached conversation."""
MAX_TOKENS_PER_REQUEST = 16
WEIGHT_BYTES_PER_REQUEST = 2**31
"""Weights that may be read for one request, which limits its tokens.

The fixed cost of a request only matters with small models. With large ones, several tokens would be a noticeable wait.
"""
CERTAIN_BIAS = 1_000.0
"""A logit bias that leaves no choice."""
GUIDED_TOKENS = 64
"""With guidance, the most probable tokens, among which the next one is chosen: few others are plausible."""
TOP_LOG_PROBABILITIES = 1_024
"""The most probable tokens, among which the log-probability of a part of a character is looked up."""


def load(checkpoint: Path, parameters: GenerationParameters | None) -> LoadedEngine:
    """Load a checkpoint; its GGUF file is written first if necessary. Raises SelfChatBotError if llama.cpp can't."""
    parameters = parameters or GenerationParameters(model=str(checkpoint))
    try:
        gguf = checkpoint_gguf(checkpoint, parameters)
        chat_format = load_chat_format(format_file(gguf))
        if chat_format is None:
            chat_format = ChatFormat(load_checkpoint_tokenizer(checkpoint))
            with suppress(OSError):  # a folder that can't be written to only costs time
                save_chat_format(chat_format, format_file(gguf))
        return LoadedEngine(LlamaCppEngine(gguf, parameters.max_length), chat_format, parameters)
    except (SelfChatBotError, OSError, ImportError) as error:
        has_file = isinstance(error, OSError) and error.filename
        reason = f"{error.strerror} ({error.filename})" if has_file else str(error)  # type: ignore[union-attr]
        raise SelfChatBotError(f"llama.cpp can't run this model: {reason}") from error


def prepare(checkpoint: Path, parameters: GenerationParameters) -> None:
    """Write what `load` needs, so that nobody waits for it later. Raises SelfChatBotError where llama.cpp can't."""
    try:
        checkpoint_gguf(checkpoint, parameters)
    except OSError as error:
        raise SelfChatBotError(f"the model can't be written for llama.cpp: {error.strerror or error}") from error


def leaves_a_gpu_idle() -> bool:
    """Whether there is an NVIDIA GPU that this build of llama.cpp can't use: transformers is faster then."""
    return shutil.which("nvidia-smi") is not None and not uses_gpu()


class LlamaCppEngine:
    """A loaded GGUF file. Raises SelfChatBotError when llama.cpp can't load it.

    ``window`` is cut to the model's positions. ``exact`` caches keys and values in float32, not float16, to compare
    with transformers.
    """

    def __init__(self, gguf: Path, window: int, threads: int | None = None, exact: bool = False) -> None:
        self._tokens_per_request = max(1, min(MAX_TOKENS_PER_REQUEST, WEIGHT_BYTES_PER_REQUEST // gguf.stat().st_size))
        self._workers = ThreadPoolExecutor(SLOTS, "llama.cpp")
        # In a worker, which Python joins at exit: Ctrl-C interrupts the wait, but never the loading.
        self._server = self._workers.submit(LlamaCppServer, gguf, SLOTS, window, threads, exact).result()
        self.window = min(window, self._server.trained_positions())

    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        seeds = random.Random(sampling.seed)  # None: different in every call
        generate, size = (self._generate_guided, 1) if sampling.is_guided else (self._generate_group, SLOTS)
        for first in range(0, count, size):
            group = range(first, min(first + size, count))
            yield from generate(prompt, sampling, group, seeds)

    def _generate_guided(
        self, prompt: list[int], sampling: Sampling, group: range, seeds: random.Random
    ) -> Generator[Token, None, None]:
        """Tokens of one candidate, chosen here among the most probable ones with and without the conversation.

        Each reading has a slot of its own, so that neither replaces the other in the cache.
        """
        rng = random.Random(seeds.getrandbits(64))
        reply: list[int] = []
        bare_prompt = list(sampling.bare_prompt)
        while len(reply) < sampling.max_new_tokens:
            readings = [(prompt + reply, 0), (bare_prompt + reply, SLOTS - 1)]
            own, bare = self._workers.map(lambda one: self._most_probable(one[0], one[1], sampling.end), readings)
            never = sampling.never | repeating_tokens(reply, sampling.no_repeat_ngram_size)
            if not reply and not sampling.may_be_empty:
                never |= {sampling.end}
            token = choose(own, bare, sampling, reply, never, rng)
            reply.append(token)
            yield Token(group.start, token, own.get(token, min(own.values())))
            if token == sampling.end:
                return

    def _most_probable(self, sequence: list[int], slot: int, end: int) -> dict[int, float]:
        """The log-probabilities of the ``GUIDED_TOKENS`` most probable tokens after ``sequence``."""
        reported = self._forced(sequence, end, GUIDED_TOKENS, slot)[0]["top_logprobs"]
        return {one["id"]: float(one["logprob"]) for one in reported}

    def _generate_group(
        self, prompt: list[int], sampling: Sampling, group: range, seeds: random.Random
    ) -> Generator[Token, None, None]:
        """Tokens of up to ``SLOTS`` candidates. In each round, all running ones advance by the same number of tokens.

        The first tokens come from one request, for which llama.cpp reads the prompt once and copies its cache.
        """
        own = [random.Random(seeds.getrandbits(64)) for _ in group]
        replies: list[list[int]] = [[] for _ in group]
        # The penalty depends on the tokens so far, so each one needs a request of its own.
        per_request = self._tokens_per_request if sampling.repetition_penalty == 1 else 1
        answers = self._next_tokens(prompt, [], sampling, seeds.getrandbits(31), count=len(group))
        running = list(range(len(group)))
        while True:
            for candidate, answer in zip(running, answers, strict=True):
                for token, log_probability in answer:
                    if token in repeating_tokens(replies[candidate], sampling.no_repeat_ngram_size):
                        break  # asked again, without this token
                    replies[candidate].append(token)
                    yield Token(group[candidate], token, log_probability)
            running = [
                candidate
                for candidate in running
                if replies[candidate][-1:] != [sampling.end] and len(replies[candidate]) < sampling.max_new_tokens
            ]
            if not running:
                return
            work = [(prompt, replies[one], sampling, own[one].getrandbits(31), per_request) for one in running]
            if len(work) == 1:
                answers = self._next_tokens(*work[0])
            else:
                answers = [
                    answer
                    for found in self._workers.map(lambda step: self._next_tokens(*step), work)
                    for answer in found
                ]

    def _next_tokens(
        self, prompt: list[int], reply: list[int], sampling: Sampling, seed: int, length: int = 1, count: int = 1
    ) -> list[list[tuple[int, float]]]:
        """``count`` samples of the next ``length`` tokens with their log-probabilities; fewer where a turn ends."""
        never = sampling.never if reply or sampling.may_be_empty else sampling.never | {sampling.end}
        if repeating := repeating_tokens(reply, sampling.no_repeat_ngram_size):
            never, length = never | repeating, 1
        length = min(length, sampling.max_new_tokens - len(reply))
        request = {
            "prompt": prompt + reply,
            "n_predict": length,
            "n": count,
            "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": len(reply),
            "logit_bias": [[token, False] for token in never],
            "seed": seed,
            # For a probability, llama.cpp sorts the whole vocabulary: a quarter of a small model's time.
            "n_probs": int(sampling.log_probabilities),
            "return_tokens": True,
            "response_fields": ["tokens", "completion_probabilities"],
        }
        answers = self._server.request("/completion", request)
        found = []
        for answer in answers if isinstance(answers, list) else [answers]:
            if not sampling.log_probabilities:
                found.append([(token, math.nan) for token in answer["tokens"]])
                continue
            reported = list(answer.get("completion_probabilities") or ())
            steps: list[tuple[int, float]] = []
            for token in answer["tokens"]:
                if reported and reported[0]["id"] == token:
                    steps.append((token, float(reported.pop(0)["logprob"])))
                else:
                    before = [*prompt, *reply, *(one for one, _ in steps)]
                    steps.append((token, self._log_probability_of_part(before, token, sampling.end)))
            found.append(steps)
        return found

    def tokens(self, text: str) -> list[int]:
        """The tokens of plain text: no special ones, not even those that it spells out."""
        request = {"content": text, "add_special": False, "parse_special": False}
        found: list[int] = self._server.request("/tokenize", request)["tokens"]
        return found

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        """Token by token: llama.cpp reports no probabilities of a prompt."""
        workers = SCORING_SLOTS if len(continuations) > 1 else 1
        is_stopped = threading.Event()

        def score(worker: int) -> list[float]:
            return [
                sum(
                    self.log_probability(prompt + ids[:place], token, prompt[-1], SLOTS - 1 - worker)
                    for place, token in enumerate(ids)
                    if not is_stopped.is_set()
                )
                for ids in continuations[worker::workers]
            ]

        found = [0.0] * len(continuations)
        try:
            for worker, sums in enumerate(self._workers.map(score, range(workers))):
                found[worker::workers] = sums
        finally:
            is_stopped.set()  # Ctrl-C interrupts only the wait: Python joins the workers at exit
        return found

    def log_probability(self, sequence: list[int], token: int, end: int, slot: int = -1) -> float:
        """The log-probability of ``token`` after ``sequence`` (nats); ``end`` is any token that is whole text.

        ``slot`` is where the sequence is read; -1 leaves it to llama.cpp.
        """
        reported = self._forced(sequence, token, 1, slot)
        return float(reported[0]["logprob"]) if reported else self._log_probability_of_part(sequence, token, end, slot)

    def _log_probability_of_part(self, sequence: list[int], token: int, end: int, slot: int = -1) -> float:
        """The same for a token that is part of a character, which llama.cpp reports only beside a whole one.

        A token that is not among the most probable ones gets the lowest log-probability of those.
        """
        most_probable = self._forced(sequence, end, TOP_LOG_PROBABILITIES, slot)[0]["top_logprobs"]
        known = {one["id"]: float(one["logprob"]) for one in most_probable}
        return known.get(token, min(known.values()))

    def _forced(self, sequence: list[int], token: int, top: int, slot: int) -> Any:
        """What llama.cpp reports when it must choose ``token``, with the ``top`` most probable tokens."""
        request = {
            "prompt": sequence,
            "n_predict": 1,
            "temperature": 0,
            "logit_bias": [[token, CERTAIN_BIAS]],
            "n_probs": top,
            "id_slot": slot,
            "response_fields": ["completion_probabilities"],
        }
        return self._server.request("/completion", request).get("completion_probabilities")
