"""How far a run is, and its result: the best validation so far, early stopping, divergence."""

import math
from dataclasses import dataclass

from selfchatbot.errors import SelfChatBotError

DIVERGED = 2.0
"""A validation loss this many times the base model's means that training has diverged."""
MOST_LOSS = 0.1
"""What preference rounds may cost of the validation loss, in nats per trained token: about a tenth of what training
gains. The round that readers preferred cost 0.036."""
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


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """The validation at the end of a preference round."""

    number: int
    """From 1."""
    step: int
    epoch: float
    loss: float
    """In nats per trained token."""
    accuracy: float
    """The fraction of validation pairs whose better reply is the more probable one; nan without pairs."""
    best_accuracy: float
    """That of the model in best/ until now."""

    def __str__(self) -> str:
        return (
            f"preference round {self.number}: pair accuracy on validation {self.accuracy:.3f}, that of best/ was "
            f"{self.best_accuracy:.3f}; validation loss {self.loss:.3f}"
        )


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
    lowest_loss: float = math.inf
    """Of the validations before preference rounds."""

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
            self.lowest_loss = loss
        self.without_better = 0 if better else self.without_better + 1
        self.stopped_early = self.without_better >= patience
        return better

    def add_round(self, end: "RoundEnd") -> bool:
        """Record the end of a preference round; returns whether its model is now the best.

        By its loss alone it never would be: it learns which reply fits, at the cost of a slightly higher loss.
        """
        self.steps = end.step
        better = end.accuracy > end.best_accuracy and end.loss <= self.lowest_loss + MOST_LOSS
        if better:
            self.best_loss, self.best_step = end.loss, end.step
        return better
