"""What turns tokens into next tokens: the part of a player that knows a runtime and no conversations."""

from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Protocol

from selfchatbot.parameters import GenerationParameters


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, in the order temperature, top_k, top_p."""

    temperature: float
    """0: always the likeliest token."""
    top_p: float
    top_k: int
    """0: no limit."""
    repetition_penalty: float
    """Divides positive, multiplies negative logits of what the reply has already (Keskar et al. 2019, "CTRL")."""
    max_new_tokens: int
    end: int
    """The token that ends a turn; it is not part of the reply."""
    never: frozenset[int]
    """Tokens that are never chosen: the other special ones."""
    seed: int | None = None
    may_be_empty: bool = True
    """False: the first token is not ``end``."""
    log_probabilities: bool = True
    """False: nobody asks for them, and an engine for which they are work gives nan."""

    @classmethod
    def of(
        cls,
        parameters: GenerationParameters,
        end: int,
        special: Collection[int],
        longest: int,
        seed: int | None,
        may_be_empty: bool,
    ) -> "Sampling":
        """As ``parameters`` say, with at most ``longest`` new tokens; ``special`` may hold ``end``."""
        return cls(
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            top_k=parameters.top_k,
            repetition_penalty=parameters.repetition_penalty,
            max_new_tokens=max(1, min(parameters.max_new_tokens, longest)),
            end=end,
            never=frozenset(special) - {end},
            seed=seed,
            may_be_empty=may_be_empty,
        )


@dataclass(frozen=True, slots=True)
class Token:
    """One new token of one candidate."""

    candidate: int
    id: int
    log_probability: float
    """Natural logarithm of what the model gave it, before temperature and the rest."""


class Engine(Protocol):
    """A loaded model. It keeps what it has read: a prompt that continues the last one costs only its new tokens."""

    window: int
    """Most tokens of prompt and reply together."""

    def generate(self, prompt: list[int], sampling: Sampling, count: int = 1) -> Generator[Token, None, None]:
        """New tokens of ``count`` candidates as they are made; a candidate without further tokens has ended.

        The end token is yielded too, as the last of its candidate. Closing the generator stops the model.
        """
        ...

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        """Natural logarithm of the probability of each of ``continuations``, none of them empty, after ``prompt``."""
        ...
