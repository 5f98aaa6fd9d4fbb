"""My model and its base model: loaded only when there is something to compute, and computing everything only once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from selfchatbot.chat_format import ChatFormat
from selfchatbot.concurrency import two_at_once
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.speakers import ModelSpeaker
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters

if TYPE_CHECKING:
    from selfchatbot.player.checkpoint import Checkpoint

Unit = TypeVar("Unit")
UNLIMITED_TOKENS = 10**6


class ModelPair:
    """The trained and the base model of one checkpoint; only the one used last is in memory."""

    def __init__(
        self, checkpoint: Path, parameters: GenerationParameters, seed: int, cache: Cache, machine: Machine | None
    ) -> None:
        self.parameters = parameters
        self.seed = seed
        self.cache = cache
        self._checkpoint = checkpoint
        self._machine = machine
        self._loaded: tuple[ModelSpeaker, Checkpoint] | None = None
        self._loading = threading.Lock()

    @cached_property
    def chat_format(self) -> ChatFormat:
        from selfchatbot.player.checkpoint import load_checkpoint_tokenizer

        return ChatFormat(load_checkpoint_tokenizer(self._checkpoint))

    @cached_property
    def machine(self) -> Machine:
        from selfchatbot.models import fast_machine, quiet

        quiet()  # before torch is imported
        return self._machine or fast_machine()

    @cached_property
    def window(self) -> int:
        """The model's context length, in tokens."""
        from selfchatbot.models import load_config, window

        return window(load_config(self.parameters.model), UNLIMITED_TOKENS)

    @property
    def max_length(self) -> int:
        """Tokens of a training window, at most the model's context length."""
        return min(self.window, self.parameters.max_length)

    def loaded(self, speaker: ModelSpeaker) -> "Checkpoint":
        """The model in memory, after the other one was dropped. Raises SelfChatBotError when it can't be loaded."""
        with self._loading:
            if self._loaded is None or self._loaded[0] != speaker:
                from selfchatbot.memory import give_back_memory
                from selfchatbot.player.checkpoint import load_base, load_checkpoint

                self._loaded = None
                give_back_memory()
                load = load_checkpoint if speaker == "model" else load_base
                self._loaded = speaker, load(self._checkpoint, self.parameters, self.machine)
            return self._loaded[1]

    def unload(self) -> None:
        """Give back the memory of the model that was used last."""
        from selfchatbot.memory import give_back_memory

        self._loaded = None
        give_back_memory()

    def computed(
        self,
        name: str,
        speaker: ModelSpeaker,
        depends_on: object,
        units: Sequence[Unit],
        compute: Callable[[Unit], Any],
        on_unit: Callable[[int], None],
    ) -> list[Any]:
        """`Cache.computed` for one of the models; ``compute`` runs in two threads on a CPU and must not tokenize."""

        def mapped(compute: Callable[[Unit], Any], units: Sequence[Unit]) -> Iterator[Any]:
            return two_at_once(compute, units, self.machine.device)

        depends = [self.identity(speaker), depends_on]
        return self.cache.computed(f"{name}-{speaker}", depends, units, compute, on_unit, mapped)

    def identity(self, speaker: ModelSpeaker) -> list[str]:
        """What everything computed with a model depends on."""
        from selfchatbot.player.gguf_cache import digest

        name = self.parameters.model
        return [speaker, name] if speaker == "base" else [speaker, digest(self._checkpoint, name)]
