"""The three parameters.json, typed once: every field with its unit, range and default stands here and nowhere else."""

from string import Formatter
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from selfchatbot.parameters.base import Parameters
from selfchatbot.parameters.files import (
    FILE_NAME,
    WRITTEN_NAME,
    hand_over,
    handed_over,
    read_json,
    read_parameters,
    validate,
)
from selfchatbot.parameters.privacy import DateRange, ExcludeOptions, RedactOptions

TypeFineTune = Annotated[
    Literal["lora", "qlora", "fine_tune"],
    BeforeValidator(lambda value: "fine_tune" if value == "finetune" else value),
]


class TrainingOptions(Parameters):
    """How the model is trained, whatever the model."""

    epochs: float = Field(1.0, gt=0, le=1000, description="How often every reply of yours is trained.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Peak of the schedule; null: by method, model and number of steps, at most 2e-3 for LoRA.",
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=4096,
        description="Full windows (`max_length` tokens each) in one step; short conversations fill up.",
    )
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    cooldown_ratio: float = Field(0.4, ge=0, le=1, description="Share of the last steps, in which it falls to nothing.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    lora_r: int = Field(16, ge=1, le=1024, description="Rank of the adapters (lora, qlora).")
    lora_alpha: int = Field(
        32,
        ge=1,
        le=4096,
        description="Scale of the adapters: their output counts alpha / r; leave it if you change the rank.",
    )
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout in front of the adapters; a tenth slower on a CPU with any."
    )
    rslora: bool = Field(False, description="Adapters count alpha / sqrt(r): for high ranks (lora, qlora).")
    dora: bool = Field(
        False, description="Adapters with a magnitude of their own for each output: slower (lora, qlora)."
    )
    neftune_alpha: float | None = Field(
        None, gt=0, le=100, description="Noise on what the model reads while it trains, 5 to 15; null: none."
    )
    loss_per: Literal["token", "reply"] = Field(
        "token", description='What counts the same: every token of yours or, with `"reply"`, every reply, however long.'
    )
    recency_half_life: float | None = Field(
        None, gt=0, description="In days: replies so much older than your newest ones count half; null: all the same."
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description="Less memory, about a third slower: keep no activations, compute them again; null: if need be.",
    )
    evaluations_per_epoch: int = Field(2, ge=1, le=1000, description="Validations in each epoch.")
    early_stopping_patience: int = Field(4, ge=1, description="Stop after so many validations without a better loss.")
    checkpoint_minutes: float = Field(
        5.0, gt=0, description="An unfinished run is saved so often; the same command then goes on where it stopped."
    )
    samples: int = Field(
        3, ge=0, le=20, description="Replies shown at each validation, beside what you really answered; 0: none."
    )
    report_to: tuple[str, ...] = Field(
        (), strict=False, description='Trackers that get the losses, if installed: `["tensorboard"]`, `["wandb"]`, ...'
    )
    choose_sampling: bool = Field(
        True,
        description="After training, choose `temperature`, `top_p` and `repetition_penalty` so that replies look like "
        "yours: about a minute on a laptop.",
    )
    seed: int = Field(42, ge=0, lt=2**32, description="Same seed, same machine: same losses.")


class RawParameters(Parameters):
    """``selfChatBot_raw/Dataset_<ID>_<Name>/parameters.json``: yours to write."""

    model: str = Field(
        min_length=1,
        description="Name on the Hugging Face hub, a local folder, a `.gguf` file, or `SmolLM2-135M-Instruct`.",
    )
    type_fine_tune: TypeFineTune = Field("lora", description="`lora`, `qlora` (4-bit base model) or `fine_tune` (all).")
    max_length: int = Field(
        1024, ge=32, le=1_000_000, description="Longest window in tokens; cut to what the model can take."
    )
    preprocessor_data: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One entry per format folder: who you are there."
    )
    conversation_gap_minutes: float = Field(60.0, gt=0, description="A silence of so many minutes ends a conversation.")
    context_turns: int = Field(
        10,
        ge=1,
        le=10_000,
        description="In groups: of what the others say before a reply of yours, so many turns of one person are kept.",
    )
    contacts: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='People with several names, in one app or in many: `{"Ana": ["ana.92", "Ana Maria"]}`.',
    )
    redact: RedactOptions = Field(
        default_factory=RedactOptions, description="Optional: what is replaced by a placeholder, see below."
    )
    exclude: ExcludeOptions = Field(
        default_factory=ExcludeOptions, description="Optional: people, chats and days that never enter, see below."
    )
    system: str | None = Field(
        None,
        min_length=1,
        description="Optional: a first message that tells the model with whom it talks, for `/as` when playing: "
        '`"You are {me}, chatting with {contact} on {format}."`',
    )
    validation_fraction: float = Field(
        0.1, gt=0, le=0.4, description="Share of your replies kept for validation: the newest before the test ones."
    )
    test_fraction: float = Field(
        0.1, ge=0, le=0.4, description="Share of your replies kept for the test: the newest of all."
    )
    training: TrainingOptions = Field(
        default_factory=TrainingOptions,
        description="Optional: other start values for the training parameters below.",
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
        """JSON knows no tuples."""
        if not isinstance(contacts, dict):
            return contacts
        return {name: tuple(names) if isinstance(names, list) else names for name, names in contacts.items()}


class TrainingParameters(TrainingOptions):
    """``selfChatBot_preprocessed/.../parameters.json``: written by preprocess, yours to edit."""

    LORA_ONLY: ClassVar[tuple[str, ...]] = ("lora_r", "lora_alpha", "lora_dropout", "rslora", "dora")
    RARE: ClassVar[tuple[str, ...]] = (
        *("rslora", "dora", "neftune_alpha", "loss_per", "recency_half_life", "report_to"),
    )
    """Written only where they differ from their defaults."""

    model: str = Field(min_length=1, description="From the raw folder's parameters.json.")
    type_fine_tune: TypeFineTune = Field("lora", description="From the raw folder's parameters.json.")
    max_length: int = Field(1024, ge=32, le=1_000_000, description="From the raw folder's parameters.json.")

    @classmethod
    def start_values(cls, raw: RawParameters) -> dict[str, Any]:
        """What preprocess writes for ``raw``: its three fields, then the defaults of its method."""
        options = raw.training.model_dump(mode="json")
        for name in cls.RARE:
            if getattr(raw.training, name) == cls.model_fields[name].default:
                del options[name]
        if raw.type_fine_tune == "fine_tune":
            options = {key: value for key, value in options.items() if key not in cls.LORA_ONLY}
        return {
            "model": raw.model,
            "type_fine_tune": raw.type_fine_tune,
            "max_length": raw.max_length,
            **options,
        }


class GenerationParameters(Parameters):
    """``selfChatBot_results/.../parameters.json``: written by train, yours to edit."""

    model: str = Field(min_length=1, description="From the training parameters.")
    max_length: int = Field(
        1024, ge=32, le=1_000_000, description="From the training parameters: prompt and reply fit into it."
    )
    temperature: float = Field(
        1.0, ge=0, le=10, description="Higher is livelier; 0 always takes the likeliest next token."
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="Sample among the likeliest tokens of this total probability; 1: among all."
    )
    top_k: int = Field(0, ge=0, description="Sample among so many likeliest tokens; 0: no limit.")
    repetition_penalty: float = Field(1.0, ge=0.5, le=10, description="Above 1: said tokens become less likely.")
    num_return_sequences: int = Field(
        1,
        ge=1,
        le=64,
        description="How many answers `-t prompt` prints; a session chooses among so many at least.",
    )
    best_of: int = Field(
        1,
        ge=1,
        le=64,
        description="A reply is the one of so many that fits the conversation best, as a whole: slower. 2 of them fit "
        "about as well as yours do.",
    )
    max_new_tokens: int = Field(128, ge=1, le=100_000, description="Longest reply in tokens.")
    seed: int | None = Field(None, ge=0, lt=2**32, description="A number makes replies repeatable.")

    @classmethod
    def start_values(cls, model: str, max_length: int) -> dict[str, Any]:
        """What train writes for a model trained with windows of ``max_length`` tokens."""
        return cls(model=model, max_length=max_length).model_dump()

    def drawn(self, at_least: int = 1) -> int:
        """How many candidates there are for one reply: without chance, all would be the same."""
        return max(at_least, self.best_of) if self.temperature else 1


__all__ = [
    "FILE_NAME",
    "WRITTEN_NAME",
    "DateRange",
    "ExcludeOptions",
    "GenerationParameters",
    "Parameters",
    "RawParameters",
    "RedactOptions",
    "TrainingOptions",
    "TrainingParameters",
    "hand_over",
    "handed_over",
    "read_json",
    "read_parameters",
    "validate",
]
