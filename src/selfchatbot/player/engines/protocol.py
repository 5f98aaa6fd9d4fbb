"""What an engine is: it runs a model and samples tokens, and knows nothing of conversations."""

import math
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from selfchatbot.parameters import GenerationParameters

if TYPE_CHECKING:
    from selfchatbot.chat_format import ChatFormat

PLAUSIBLE_SHARE = 0.01
"""Guidance chooses among tokens that are at least this probable, as a share of the most probable one, at a temperature
of 1 or less; above, of less probable ones too."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen: guidance, repetition, temperature, top_k, top_p, min_p, in this order."""

    temperature: float
    """0: always the most probable token."""
    top_p: float
    top_k: int
    """0: no limit."""
    repetition_penalty: float
    """Divides positive and multiplies negative logits of tokens in the reply so far (Keskar et al. 2019, "CTRL")."""
    max_new_tokens: int
    end: int
    """The token that ends a turn; it is not part of the reply."""
    never: frozenset[int]
    """Tokens that are never chosen: the other special ones."""
    seed: int | None = None
    may_be_empty: bool = True
    """False: the first token is not ``end``."""
    log_probabilities: bool = True
    """False: not needed. An engine that would have to compute them may give nan."""
    min_p: float = 0.0
    """Smallest probability, as a share of the largest one (Nguyen et al. 2024, "Turning Up the Heat")."""
    no_repeat_ngram_size: int = 0
    """See `selfchatbot.player.reply.repetition.repeating_tokens`; 0: off."""
    guidance: float = 0.0
    """See `selfchatbot.player.engines.sampling.guided`; 0: off."""
    bare_prompt: tuple[int, ...] = ()
    """The prompt without the conversation, for ``guidance``, which an engine leaves out where there is none."""

    @property
    def is_guided(self) -> bool:
        """Whether an engine reads ``bare_prompt`` as well."""
        return bool(self.guidance and self.bare_prompt)

    @property
    def plausible(self) -> float:
        """How far the log-probability of a token may lie below the largest one where there is guidance; negative."""
        return max(1.0, self.temperature) * math.log(PLAUSIBLE_SHARE)

    @classmethod
    def of(
        cls,
        parameters: GenerationParameters,
        end: int,
        special: Collection[int],
        room: int,
        seed: int | None,
        may_be_empty: bool,
    ) -> "Sampling":
        """As in ``parameters``, with at most ``room`` new tokens; ``special`` may include ``end``."""
        return cls(
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            top_k=parameters.top_k,
            repetition_penalty=parameters.repetition_penalty,
            max_new_tokens=max(1, min(parameters.max_new_tokens, room)),
            end=end,
            never=frozenset(special) - {end},
            seed=seed,
            may_be_empty=may_be_empty,
            min_p=parameters.min_p,
            no_repeat_ngram_size=parameters.no_repeat_ngram_size,
            guidance=parameters.guidance,
        )


@dataclass(frozen=True, slots=True)
class Token:
    """One new token of one candidate."""

    candidate: int
    id: int
    log_probability: float
    """The model's own, before temperature and the other settings (nats)."""


class Engine(Protocol):
    """A loaded model. It caches what it has read: a prompt that continues the last one costs only its new tokens."""

    window: int
    """Maximum tokens of prompt and reply together."""

    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        """New tokens of ``count`` candidates as they are generated; a candidate that has ended yields no more.

        The end token is yielded too, as the last one of its candidate. Closing the generator stops the model.
        """
        ...

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        """The log-probability of each of ``continuations``, which must not be empty, after ``prompt`` (nats)."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine with the chat format and the parameters of its checkpoint."""

    engine: Engine
    chat_format: "ChatFormat"
    parameters: GenerationParameters
