"""How the model replies: the results folder's parameters.json."""

from typing import Annotated, Any

from pydantic import Field

from selfchatbot.parameters.base import Parameters, Trait


class GenerationParameters(Parameters):
    """``selfChatBot_results/.../parameters.json``: written by train, yours to edit."""

    model: Annotated[str, Trait.FIXED] = Field(min_length=1, description="From the training parameters.")
    max_length: Annotated[int, Trait.FIXED] = Field(
        1024,
        ge=32,
        le=1_000_000,
        description="From the training parameters: most tokens of prompt and reply together.",
    )
    temperature: Annotated[float, Trait.PER_REQUEST] = Field(
        0.4,
        ge=0,
        le=10,
        description="Higher values give livelier replies that make less sense; 0 always takes the most likely next "
        "token.",
    )
    top_p: Annotated[float, Trait.PER_REQUEST] = Field(
        0.9, gt=0, le=1, description="Sample only from the most likely tokens with this total probability. 1: from all."
    )
    top_k: Annotated[int, Trait.PER_REQUEST] = Field(
        0, ge=0, le=1_000_000, description="Sample only from this many most likely tokens. 0: no limit."
    )
    min_p: Annotated[float, Trait.PER_REQUEST] = Field(
        0.0,
        ge=0,
        le=1,
        description="Never sample a token that is less probable than this share of the most probable one. 0: no limit.",
    )
    guidance: Annotated[float, Trait.PER_REQUEST] = Field(
        0.5,
        ge=0,
        le=5,
        description="How much more to prefer what answers this conversation over what you say anywhere. Makes more "
        "sense up to about 1; twice the work for each token. 0: off.",
    )
    no_repeat_ngram_size: Annotated[int, Trait.PER_REQUEST] = Field(
        4,
        ge=0,
        le=100,
        description="No sequence of this many tokens is written twice in a reply, laughter and dots aside. 0: off.",
    )
    repetition_penalty: Annotated[float, Trait.PER_REQUEST] = Field(
        1.0, ge=0.5, le=10, description="Above 1: tokens that were already written become less likely."
    )
    num_return_sequences: int = Field(
        1,
        ge=1,
        le=64,
        description="How many replies `-t prompt` prints; a session chooses from at least this many.",
    )
    best_of: int = Field(
        1,
        ge=1,
        le=64,
        description="Write this many replies and send the one that fits the conversation best. Slower. With 2, replies "
        "fit about as well as yours do.",
    )
    max_new_tokens: Annotated[int, Trait.PER_REQUEST] = Field(
        128, ge=1, le=100_000, description="Longest reply in tokens."
    )
    seed: int | None = Field(None, ge=0, lt=2**32, description="A number makes replies repeatable.")

    @classmethod
    def start_values(cls, model: str, max_length: int) -> dict[str, Any]:
        """What train writes for a model trained with windows of ``max_length`` tokens."""
        return cls(model=model, max_length=max_length).model_dump()

    def drawn(self, at_least: int = 1) -> int:
        """The number of candidates for one reply; with temperature 0 all would be the same, so it is 1."""
        return max(at_least, self.best_of) if self.temperature else 1
