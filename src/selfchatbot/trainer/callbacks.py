"""What happens between two steps: the run's owner is told, and says whether to go on; a checkpoint, when it is time."""

import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import transformers

from selfchatbot import distributed

if TYPE_CHECKING:
    from selfchatbot.trainer.loop import Loop


RECENT = 20
"""The time that is left is foretold from so many steps: on a machine that others use too, speed changes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is."""

    step: int
    steps: int
    loss: float
    """Nats per trained token, mean over the last logged steps."""
    validation_loss: float
    """The newest; nan before the first."""
    tokens_per_second: float
    """Real tokens, without padding, over the whole run; validation not counted."""
    seconds_left: float
    base_loss: float = math.nan
    """Validation loss of the base model."""
    memory: int = 0
    """Bytes at the peak so far, of the GPU or of this process; 0: not known."""


class Watcher(transformers.TrainerCallback):  # type: ignore[misc]
    """Tells the run's owner about every logged step and every validation."""

    def __init__(
        self,
        on_progress: Callable[[Progress], None],
        on_validation: Callable[[int, float, float], bool],
        checkpoint_seconds: float,
        validation_loss: float,
    ) -> None:
        """``on_validation(step, epoch, loss)`` returns whether to go on; ``validation_loss`` is that of a run that
        goes on, or nan."""
        self._on_progress = on_progress
        self._on_validation = on_validation
        self._checkpoint_seconds = checkpoint_seconds
        self._saved_at = time.monotonic()
        self.loop: Loop | None = None
        self._validation_loss = validation_loss
        self.asked_to_stop = False
        """This process was."""
        self.stops = False
        """All do, because one of them was asked to."""
        self._began = 0.0
        self._seconds: deque[float] = deque(maxlen=RECENT)

    def on_train_begin(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        **_: Any,
    ) -> None:
        state.compute_steps(args, state.max_steps)  # those of a checkpoint may be out of date

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        **_: Any,
    ) -> None:
        self._seconds.append(time.perf_counter() - self._began)
        long_ago = time.monotonic() - self._saved_at >= self._checkpoint_seconds
        self.stops, save = distributed.any_of(self.asked_to_stop, long_ago)
        if self.stops:
            control.should_training_stop = True  # whoever asked saves what there is then
        elif save and state.global_step < state.max_steps:  # from the end of half an epoch it would go one step on
            control.should_save = True
            self._saved_at = time.monotonic()

    def on_log(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs or self.loop is None:
            return
        loop = self.loop
        steps_left = state.max_steps - state.global_step
        every = max(1.0, float(args.eval_steps or state.max_steps))
        # That of this step is still to come.
        validations_left = math.ceil(state.max_steps / every) - (state.global_step - 1) // every
        self._on_progress(
            Progress(
                step=state.global_step,
                steps=state.max_steps,
                loss=logs["loss"],
                validation_loss=self._validation_loss,
                tokens_per_second=loop.tokens_seen / max(loop.seconds_training, 1e-9),
                seconds_left=steps_left * statistics.fmean(self._seconds) + validations_left * loop.seconds_validating,
            )
        )

    def on_evaluate(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self._validation_loss = (metrics or {}).get("eval_loss", math.nan)
        if not self._on_validation(state.global_step, state.epoch or 0.0, self._validation_loss):
            control.should_training_stop = True
            control.should_save = False  # nobody goes on with a run that has ended
