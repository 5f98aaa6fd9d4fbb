"""The three parameters.json: every field with its unit, range and default is defined here and nowhere else."""

from selfchatbot.parameters.base import Parameters, Trait
from selfchatbot.parameters.files import (
    FILE_NAME,
    MAX_BYTES,
    WRITTEN_NAME,
    hand_over,
    handed_over,
    read_json,
    read_parameters,
    validate,
)
from selfchatbot.parameters.generation import GenerationParameters
from selfchatbot.parameters.privacy import DateRange, ExcludeOptions, RedactOptions
from selfchatbot.parameters.raw import RawParameters
from selfchatbot.parameters.training import TrainingOptions, TrainingParameters

__all__ = [
    "FILE_NAME",
    "MAX_BYTES",
    "WRITTEN_NAME",
    "DateRange",
    "ExcludeOptions",
    "GenerationParameters",
    "Parameters",
    "RawParameters",
    "RedactOptions",
    "TrainingOptions",
    "TrainingParameters",
    "Trait",
    "hand_over",
    "handed_over",
    "read_json",
    "read_parameters",
    "validate",
]
