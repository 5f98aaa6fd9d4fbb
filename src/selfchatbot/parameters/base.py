"""What all parameters have in common."""

from enum import Enum, auto

from pydantic import BaseModel, ConfigDict


class Trait(Enum):
    """What else is true of a parameter; written into the annotation of its field."""

    ADAPTERS_ONLY = auto()
    """Means nothing in full fine-tuning."""
    RARE = auto()
    """Written for the user only where it differs from its default."""
    RESUMABLE = auto()
    """May change in the middle of a run: the losses don't depend on it."""
    NOT_COMPARED = auto()
    """Not listed beside the results of an evaluation: it makes no difference, or stands there by another name."""
    FIXED = auto()
    """Can't change once the model is loaded."""
    PER_REQUEST = auto()
    """Can be set for each request on the page."""


class Parameters(BaseModel):
    """What every parameters.json has in common: exact types, no unknown keys, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True, protected_namespaces=())

    @classmethod
    def fields_with(cls, trait: Trait) -> set[str]:
        """The names of the fields that have ``trait``."""
        return {name for name, field in cls.model_fields.items() if trait in field.metadata}
