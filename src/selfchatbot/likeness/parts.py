"""The parts of ``likeness.json`` that belong to no measure."""

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Settings shared by all parts of a result."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        populate_by_name=True,
        revalidate_instances="always",
    )


class ValidationLoss(Part):
    """One validation during training, from metrics.jsonl."""

    epoch: float
    loss: float = Field(description="Nats per trained token.")


class Run(Part):
    """What was evaluated, and how."""

    dataset: str = Field(description="Name of the dataset's folder.")
    name: str = Field("", description="The training's name, as in runs/; empty in files of older versions.")
    checkpoint: str = Field(description="`best` or `final`.")
    model: str = Field(description="The base model that was trained, as named in parameters.json.")
    base: str = Field(description="The base speaker: the same model without training, prompted.")
    seed: int
    contexts: int = Field(description="Test messages that were answered.")
    conversations: int = Field(description="Test conversations that the contexts come from.")
    contacts: int = Field(
        0, description="People or groups that these conversations are with; 0 where the data doesn't tell."
    )
    training_replies: int = Field(description="My turns in train.jsonl.")
    parameters: dict[str, str | int | float | bool | None] = Field(
        description="Training and generation parameters that affect the result, by name: epochs, temperature, ..."
    )
    validation: tuple[ValidationLoss, ...] = Field(
        (), description="Validation losses during training; the first is the base model's."
    )
    versions: dict[str, str] = Field(description="Versions of selfchatbot, torch, transformers, ...")
    seconds: dict[str, float] = Field(description="Wall time by step.")
    finished: str = Field(description="ISO 8601, local time.")

    def number(self, parameter: str) -> float | None:
        """The value of a numeric parameter; None where it is missing or not a number."""
        value = self.parameters.get(parameter)
        return value if isinstance(value, int | float) else None
