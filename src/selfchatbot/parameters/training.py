"""How the model is trained: ``training`` of the raw parameters.json, and the preprocessed folder's parameters.json."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from selfchatbot.parameters.base import Parameters, Trait

if TYPE_CHECKING:
    from selfchatbot.parameters.raw import RawParameters

TypeFineTune = Annotated[
    Literal["lora", "qlora", "fine_tune"],
    BeforeValidator(lambda value: "fine_tune" if value == "finetune" else value),
]


class TrainingOptions(Parameters):
    """How a model is trained, whichever model it is."""

    epochs: float = Field(1.0, gt=0, le=1000, description="How many times each of your replies is trained.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Peak learning rate. null: chosen for your method, your model and the length of the run, at most "
        "2e-3 for LoRA.",
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=4096,
        description="Windows of `max_length` tokens per step; several short conversations fill one window.",
    )
    warmup_ratio: float = Field(
        0.05, ge=0, lt=1, description="Fraction of the steps, at the start, in which the learning rate rises."
    )
    cooldown_ratio: float = Field(
        0.4, ge=0, le=1, description="Fraction of the steps, at the end, in which the learning rate falls to zero."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    lora_r: Annotated[int, Trait.ADAPTERS_ONLY] = Field(
        16, ge=1, le=1024, description="Rank of the adapters (lora, qlora)."
    )
    lora_alpha: Annotated[int, Trait.ADAPTERS_ONLY] = Field(
        32,
        ge=1,
        le=4096,
        description="Scale of the adapters: their output is multiplied by alpha / r. Keep it when you change the rank.",
    )
    lora_dropout: Annotated[float, Trait.ADAPTERS_ONLY] = Field(
        0.0, ge=0, lt=1, description="Dropout before the adapters. Above 0, training on a CPU is a tenth slower."
    )
    rslora: Annotated[bool, Trait.ADAPTERS_ONLY, Trait.RARE] = Field(
        False, description="Multiply the adapters' output by alpha / sqrt(r) instead, for high ranks (lora, qlora)."
    )
    dora: Annotated[bool, Trait.ADAPTERS_ONLY, Trait.RARE] = Field(
        False, description="Train magnitude and direction of the weights separately: slower (lora, qlora)."
    )
    neftune_alpha: Annotated[float | None, Trait.RARE] = Field(
        None, gt=0, le=100, description="Noise on the embeddings during training, usually 5 to 15. null: none."
    )
    loss_per: Annotated[Literal["token", "reply"], Trait.RARE] = Field(
        "token",
        description='What has equal weight: every token of yours or, with `"reply"`, every reply of any length.',
    )
    recency_half_life: Annotated[float | None, Trait.RARE] = Field(
        None,
        gt=0,
        description="In days: replies this much older than your newest have half the weight. null: equal weight.",
    )
    preference_rounds: int = Field(
        0,
        ge=0,
        le=5,
        description="Rounds, after the epochs, in which the model learns to prefer your reply to one that you gave "
        "elsewhere, and what you rated in sessions. Replies then make more sense, see docs/training.md.",
    )
    gradient_checkpointing: Annotated[bool | None, Trait.RESUMABLE, Trait.NOT_COMPARED] = Field(
        None,
        description="Saves memory, about a third slower: activations are recomputed. null: only when memory is short.",
    )
    evaluations_per_epoch: Annotated[int, Trait.RESUMABLE, Trait.NOT_COMPARED] = Field(
        2, ge=1, le=1000, description="Validations in each epoch."
    )
    early_stopping_patience: Annotated[int, Trait.RESUMABLE] = Field(
        4, ge=1, description="Stop after this many validations in a row without a better loss."
    )
    checkpoint_minutes: Annotated[float, Trait.RESUMABLE, Trait.NOT_COMPARED] = Field(
        5.0, gt=0, description="Minutes between saves. Run the same command again to resume."
    )
    samples: Annotated[int, Trait.RESUMABLE, Trait.NOT_COMPARED] = Field(
        3, ge=0, le=20, description="Replies to show at each validation, next to what you really answered. 0: none."
    )
    report_to: Annotated[tuple[str, ...], Trait.RESUMABLE, Trait.RARE, Trait.NOT_COMPARED] = Field(
        (),
        strict=False,
        description='Experiment trackers that get the losses, if installed: `["tensorboard"]`, `["wandb"]`, ...',
    )
    choose_sampling: Annotated[bool, Trait.RESUMABLE, Trait.NOT_COMPARED] = Field(
        True,
        description="After training, choose `temperature`, `top_p` and `repetition_penalty` so that replies resemble "
        "yours. Takes about a minute on a laptop.",
    )
    seed: Annotated[int, Trait.NOT_COMPARED] = Field(
        42, ge=0, lt=2**32, description="The same seed on the same machine gives the same losses."
    )


class TrainingParameters(TrainingOptions):
    """``selfChatBot_preprocessed/.../parameters.json``: written by preprocess, yours to edit."""

    model: Annotated[str, Trait.NOT_COMPARED] = Field(
        min_length=1, description="From the raw folder's parameters.json."
    )
    type_fine_tune: TypeFineTune = Field("lora", description="From the raw folder's parameters.json.")
    max_length: int = Field(1024, ge=32, le=1_000_000, description="From the raw folder's parameters.json.")

    @classmethod
    def start_values(cls, raw: "RawParameters") -> dict[str, Any]:
        """What preprocess writes for ``raw``: three of its fields and the options that matter for its method."""
        options = raw.training.model_dump(mode="json")
        for name in cls.fields_with(Trait.RARE):
            if getattr(raw.training, name) == cls.model_fields[name].default:
                del options[name]
        if raw.type_fine_tune == "fine_tune":
            options = {key: value for key, value in options.items() if key not in cls.fields_with(Trait.ADAPTERS_ONLY)}
        return {"model": raw.model, "type_fine_tune": raw.type_fine_tune, "max_length": raw.max_length, **options}
