"""The engine that runs everywhere: any causal model of transformers, on any device."""

from collections.abc import Generator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.chat_format import ChatFormat
from selfchatbot.models import Machine, fast_machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.kv_cache import cache_argument, cropped, new_cache, repeat, select_rows
from selfchatbot.player.engines.likelihood import continuation_log_probabilities
from selfchatbot.player.engines.protocol import LoadedEngine, Sampling, Token
from selfchatbot.player.engines.sampling import Sampler

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load(checkpoint: Path, parameters: GenerationParameters | None, machine: Machine | None) -> LoadedEngine:
    """Load a checkpoint onto ``machine``, or where it is fastest. Raises SelfChatBotError when it is damaged."""
    loaded = load_checkpoint(checkpoint, parameters, machine or fast_machine())
    parameters = parameters or GenerationParameters(model=loaded.base)
    engine = TransformersEngine(loaded.model, min(loaded.window, parameters.max_length))
    return LoadedEngine(engine, ChatFormat(loaded.tokenizer), parameters)


class TransformersEngine:
    """A loop over the model's forward pass, with one key-value cache for the life of the engine."""

    def __init__(self, model: "PreTrainedModel", window: int) -> None:
        self.window = window
        self._model = model
        self._cache_argument = cache_argument(model)
        self._cached: list[int] = []
        """The tokens that are in the cache."""
        self._cache: Any = None
        """None too while it is being filled: Ctrl-C in a forward pass leaves layers of different length."""
        self._bare: _Read | None = None
        """The prompt without the conversation, which is the same for a whole session."""

    @torch.inference_mode()
    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        logits = self._prefill(prompt)
        generator = torch.Generator(device=logits.device)
        if sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(sampling.seed)
        bare = self._read_bare(sampling, count)
        if count == 1:
            yield from self._decode(logits, self._cache, sampling, generator, self._cached, bare)
        else:
            cache = deepcopy(self._cache)
            repeat(cache, count, self._model.device)
            yield from self._decode(logits.repeat(count, 1), cache, sampling, generator, None, bare)

    def _read_bare(self, sampling: Sampling, count: int) -> "_Read | None":
        """The prompt without the conversation, read for ``count`` replies; None without guidance."""
        if not sampling.is_guided:
            return None
        if self._bare is None or self._bare.prompt != sampling.bare_prompt:
            cache = new_cache(self._model.config)
            logits = self._forward(torch.tensor([sampling.bare_prompt], device=self._model.device), cache)
            self._bare = _Read(sampling.bare_prompt, logits, cache)
        read = deepcopy(self._bare)
        if count > 1:
            repeat(read.cache, count, self._model.device)
            read.logits = read.logits.repeat(count, 1)
        return read

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        return continuation_log_probabilities(self._model, prompt, continuations)

    def _prefill(self, prompt: list[int]) -> torch.Tensor:
        """Read what is new in ``prompt``; the logits of the next token, shape (1, vocabulary)."""
        common = 0
        # The last token is always read again, because its logits are needed.
        while common < min(len(self._cached), len(prompt) - 1) and self._cached[common] == prompt[common]:
            common += 1
        cache, self._cache = self._cache, None
        if cache is None or not cropped(cache, len(self._cached) - common):
            cache, common = new_cache(self._model.config), 0
        tokens = torch.tensor([prompt[common:]], device=self._model.device)
        logits = self._forward(tokens, cache)
        self._cached, self._cache = list(prompt), cache
        return logits

    def _forward(self, tokens: torch.Tensor, cache: Any) -> torch.Tensor:
        output = self._model(input_ids=tokens, use_cache=True, logits_to_keep=1, **{self._cache_argument: cache})
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _decode(
        self,
        logits: torch.Tensor,
        cache: Any,
        sampling: Sampling,
        generator: torch.Generator,
        cached: list[int] | None,
        bare: "_Read | None",
    ) -> Generator[Token, None, None]:
        """Sample and feed tokens until every candidate has ended; ``cached`` gets each token that enters the cache."""
        sampler = Sampler(logits, sampling, generator)
        while True:
            yield from sampler.step(logits, None if bare is None else bare.logits)
            if (running := sampler.running()) is None:
                return
            if running.numel() < logits.shape[0]:
                select_rows(cache, running)
                if bare is not None:
                    select_rows(bare.cache, running)
            if cached is not None:
                self._cache = None
            logits = self._forward(sampler.last[:, None], cache)
            if cached is not None:
                cached.append(int(sampler.last))
                self._cache = cache
            if bare is not None:
                bare.logits = self._forward(sampler.last[:, None], bare.cache)


@dataclass(slots=True)
class _Read:
    """A prompt that was read."""

    prompt: tuple[int, ...]
    logits: torch.Tensor
    """Of the next token, shape (replies, vocabulary)."""
    cache: Any
