"""What the user writes: the raw folder's parameters.json."""

from string import Formatter
from typing import Any

from pydantic import Field, field_validator

from selfchatbot.parameters.base import Parameters
from selfchatbot.parameters.privacy import ExcludeOptions, RedactOptions
from selfchatbot.parameters.training import TrainingOptions, TypeFineTune


class RawParameters(Parameters):
    """``selfChatBot_raw/Dataset_<ID>_<Name>/parameters.json``: yours to write."""

    model: str = Field(
        min_length=1,
        description="A model name on huggingface.co, a local folder, a `.gguf` file, or `SmolLM2-135M-Instruct`.",
    )
    type_fine_tune: TypeFineTune = Field(
        "lora", description="`lora`, `qlora` (4-bit base model) or `fine_tune` (all weights)."
    )
    max_length: int = Field(
        1024, ge=32, le=1_000_000, description="Longest training window in tokens, cut to the limit of the model."
    )
    preprocessor_data: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One entry for each format folder: who you are there."
    )
    conversation_gap_minutes: float = Field(
        60.0, gt=0, le=1e12, description="A silence of this many minutes ends a conversation."
    )
    context_turns: int = Field(
        10, ge=1, le=10_000, description="Group chats: how many turns by others are kept before each of your replies."
    )
    contacts: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='People with several names, in one app or across apps: `{"Ana": ["ana.92", "Ana Maria"]}`.',
    )
    redact: RedactOptions = Field(
        default_factory=RedactOptions, description="Optional: what is replaced by placeholders, see below."
    )
    exclude: ExcludeOptions = Field(
        default_factory=ExcludeOptions, description="Optional: people, chats and days to leave out, see below."
    )
    system: str | None = Field(
        None,
        min_length=1,
        description="Optional: a first message that tells the model who it is chatting with, for `/as` when playing: "
        '`"You are {me}, chatting with {contact} on {format}."`',
    )
    validation_fraction: float = Field(
        0.1,
        gt=0,
        le=0.4,
        description="Fraction of your replies kept for validation: the newest ones before those kept for testing.",
    )
    test_fraction: float = Field(
        0.1, ge=0, le=0.4, description="Fraction of your replies kept for testing: the newest ones."
    )
    training: TrainingOptions = Field(
        default_factory=TrainingOptions, description="Optional: initial values for the training parameters below."
    )

    @field_validator("system")
    @classmethod
    def _known_placeholders(cls, system: str | None) -> str | None:
        for _, name, form, conversion in Formatter().parse(system or ""):
            if name is not None and (name not in ("me", "contact", "format") or form or conversion):
                raise ValueError("a text with no other placeholder than {me} {contact} {format}")
        return system

    @field_validator("contacts", mode="before")
    @classmethod
    def _lists_of_names(cls, contacts: object) -> object:
        """JSON has lists where the field has tuples."""
        if not isinstance(contacts, dict):
            return contacts
        return {name: tuple(names) if isinstance(names, list) else names for name, names in contacts.items()}
