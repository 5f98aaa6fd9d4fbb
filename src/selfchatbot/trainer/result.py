"""How a run goes, by its validations: the best one so far, none better for how long, a loss that grows."""

import math
from dataclasses import dataclass

from selfchatbot.errors import SelfChatBotError
from selfchatbot.trainer.loop import CALMER

DIVERGED = 2.0
"""A validation loss of so many times the base model's is no learning any more."""


@dataclass(slots=True)
class Result:
    """How a run ended, or where it is."""

    base_loss: float = math.nan
    """Validation loss of the base model, in nats per trained token."""
    best_loss: float = math.inf
    best_step: int = 0
    steps: int = 0
    """The step of the last validation."""
    stopped_early: bool = False
    without_better: int = 0
    """Validations since the best one."""

    def validated(self, step: int, loss: float, patience: int) -> bool:
        """Whether ``loss``, in nats per trained token, is the best; after ``patience`` worse ones the run is to end.

        Raises SelfChatBotError for one that is no number or far above the base model's.
        """
        self.steps = step
        if not loss <= DIVERGED * self.base_loss:  # nan is not either
            raise SelfChatBotError(
                f"the validation loss is {loss:.3f} at step {step}, that of the base model {self.base_loss:.3f}: "
                f"{CALMER}"
            )
        better = loss < self.best_loss
        if better:
            self.best_loss, self.best_step = loss, step
        self.without_better = 0 if better else self.without_better + 1
        self.stopped_early = self.without_better >= patience
        return better
