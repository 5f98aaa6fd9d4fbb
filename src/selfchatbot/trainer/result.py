"""How far a run is, and its result: the best validation so far, early stopping, divergence."""

import math
from dataclasses import dataclass

from selfchatbot.errors import SelfChatBotError

DIVERGED = 2.0
"""A validation loss this many times the base model's means that training has diverged."""
LOWER_RATE = (
    "lower learning_rate in the training parameters.json and run the same command with --restart; best/ stays as it is"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is."""

    step: int
    steps: int
    loss: float
    """Nats per trained token, mean over the steps since the last report."""
    validation_loss: float
    """The newest; nan before the first validation."""
    tokens_per_second: float
    """Tokens without padding over the time spent in training steps."""
    seconds_left: float
    base_loss: float = math.nan
    """Validation loss of the base model."""
    memory: int = 0
    """Peak memory so far in bytes, of the GPU or of this process; 0: unknown."""


@dataclass(slots=True)
class Result:
    """How a run ended, or how far it is."""

    base_loss: float = math.nan
    """Validation loss of the base model, in nats per trained token."""
    best_loss: float = math.inf
    best_step: int = 0
    steps: int = 0
    """The step of the last validation."""
    stopped_early: bool = False
    without_better: int = 0
    """Validations since the best one."""

    def add_validation(self, step: int, loss: float, patience: int) -> bool:
        """Record a validation; returns whether ``loss``, in nats per trained token, is the best so far.

        Sets ``stopped_early`` after ``patience`` validations without a better one. Raises SelfChatBotError for a loss
        that is not a number or far above the base model's.
        """
        self.steps = step
        if not loss <= DIVERGED * self.base_loss:  # true for nan as well
            raise SelfChatBotError(
                f"the validation loss is {loss:.3f} at step {step}, the base model's was {self.base_loss:.3f}: "
                f"{LOWER_RATE}"
            )
        better = loss < self.best_loss
        if better:
            self.best_loss, self.best_step = loss, step
        self.without_better = 0 if better else self.without_better + 1
        self.stopped_early = self.without_better >= patience
        return better
