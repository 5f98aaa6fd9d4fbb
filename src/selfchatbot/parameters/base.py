"""What all parameters have in common."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """What every parameters.json has in common: exact types, no unknown key, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True, protected_namespaces=())
