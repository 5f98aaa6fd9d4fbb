"""The training loop: steps, validations, preference rounds and checkpoints."""

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine
from selfchatbot.trainer import resume
from selfchatbot.trainer.data import Batch, collate, label_count, real_lengths
from selfchatbot.trainer.meter import Meter
from selfchatbot.trainer.plan import TrainingPlan
from selfchatbot.trainer.preference_round import PreferenceRound, log_probabilities, pair_accuracy
from selfchatbot.trainer.result import LOWER_RATE, Progress, RoundEnd
from selfchatbot.trainer.schedule import rate_factor
from selfchatbot.trainer.updates import Updates

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel


class Loop:
    """Trains a model by a plan; each step is one batch.

    After the supervised steps come the preference rounds of the plan, whose steps are counted on. The first one starts
    from the weights of the best validation, each other one from the end of the one before.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        plan: TrainingPlan,
        machine: Machine,
        accelerator: "Accelerator",
        checkpoints: resume.Checkpoints,
        on_log: Callable[[Progress, dict[str, float]], None],
        on_validation: Callable[[int, float, float], bool],
        on_round: Callable[[RoundEnd], bool],
        own_state: Callable[[], dict[str, Any]],
    ) -> None:
        """``on_log`` also gets what else is to be recorded, by name; ``on_validation(step, epoch, loss)`` returns
        whether to continue, ``on_round`` whether the model is now the best; ``own_state`` is saved in checkpoints."""
        self.model = model
        self.accelerator = accelerator
        self.step = 0
        self.stop_requested = False
        """Set it at any time: the running step is finished, then a checkpoint is saved."""
        self.validation_loss = math.nan
        self.validated_step = 0
        self.updates = Updates(model, plan.parameters, plan.memory, machine, accelerator)
        self._plan = plan
        self._checkpoints = checkpoints
        self._on_log, self._on_validation, self._on_round = on_log, on_validation, on_round
        self._own_state = own_state
        torch.manual_seed(plan.parameters.seed + distributed.rank())  # dropout must differ between processes
        self._round = 0
        """The number of the preference round, from 1; 0 before the first."""
        self._round_start = 0
        """The step after which it began."""
        self._reference: list[list[float]] | None = None
        """Its reference, once it has begun."""
        self._best_accuracy = math.nan
        """The pair accuracy of best/."""
        self._meter = Meter()
        self._seconds_validating = 0.0
        """Duration of the last validation, including what its callback saves and shows."""
        self._last_save = time.monotonic()

    def run(self) -> bool:
        """Train to the end; False if it was asked to stop and has saved a checkpoint.

        Raises SelfChatBotError for a loss that is not a number and for memory that does not suffice.
        """
        if not self._round:
            if not self._train_supervised():
                return False
            if self.validated_step != self.step:
                self.validate()
        for number in range(max(self._round, 1), len(self._plan.preferences.rounds) + 1):
            if number != self._round:
                self._round, self._round_start, self._reference = number, self.step, None
            if not self._train_round():
                return False
        return True

    def validate(self) -> bool:
        """Whether to go on after a validation."""
        started = time.perf_counter()
        self._measure()
        going_on = self._on_validation(self.step, self.step / self._plan.steps_per_epoch, self.validation_loss)
        self._seconds_validating = time.perf_counter() - started
        return going_on

    def _measure(self) -> None:
        """The validation loss, in nats per trained token, is exact: the sum over all tokens, divided once."""
        total, count = 0.0, 0
        for indices in self._plan.validation_batches:
            batch = self._load(self._plan.validation, indices)
            total += self.updates.without_gradients(batch, self.updates.loss)
            count += int(label_count(batch))
        self.validation_loss = distributed.total(total) / max(count, 1)
        self.validated_step = self.step
        self.accelerator.log({"eval/loss": self.validation_loss}, step=self.step)

    def _train_supervised(self) -> bool:
        """Train until all steps are done or validation says stop; False if it was asked to stop."""
        plan = self._plan
        if self.step == 0:
            self.validate()
        for batch in self._remaining_batches():
            self._train_step(batch)
            stop, save = self._to_do()
            if self.step % plan.steps_between_logs == 0:
                self._log()
            if self.step % plan.steps_between_validations == 0 and not self.validate():
                return True
            if self.step >= plan.steps:
                break
            if stop or save:
                self._save()
            if stop:
                return False
        return True

    def _train_round(self) -> bool:
        """Train a preference round, from its beginning or where it was resumed; False if it was asked to stop."""
        plan = self._plan
        if self._reference is None:
            if self._to_do()[0]:
                self._save()
                return False
            self._reference = self._begin_round()
        pairs = plan.preferences.rounds[self._round - 1]
        one = PreferenceRound(self.updates, pairs, self._reference, plan.max_length)
        while (number := self.step - self._round_start) < one.steps:
            started = time.perf_counter()
            step = one.gradients(number)
            self._check(step.gradient_loss)
            self.updates.apply(plan.peak_rate * one.rate_factor(number))
            measured = {"preference_loss": step.preference_loss, "pair_accuracy": step.accuracy}
            self._done(step.tokens, started, loss=step.loss, **measured)
            stop, save = self._to_do()
            if self.step % plan.steps_between_logs == 0:
                self._log()
            if number + 1 == one.steps:
                break
            if stop or save:
                self._save()
            if stop:
                return False
        self._end_round()
        return True

    def _begin_round(self) -> list[list[float]]:
        """The reference of the round; before the first one, the weights of the best validation are restored."""
        preferences, max_length = self._plan.preferences, self._plan.max_length
        self.updates.optimizer.state.clear()
        if self._round == 1:
            self._checkpoints.load_best(self.model)
            self._best_accuracy = pair_accuracy(self.updates, list(preferences.validation), max_length)
        pairs = preferences.rounds[self._round - 1]
        self._meter.restart()
        reference: list[list[float]] = log_probabilities(self.updates, pairs, max_length).tolist()
        return reference

    def _end_round(self) -> None:
        started = time.perf_counter()
        self._measure()
        accuracy = pair_accuracy(self.updates, list(self._plan.preferences.validation), self._plan.max_length)
        before = sum(self._plan.preferences.steps[: self._round - 1])
        epoch = (self._round_start - before) / self._plan.steps_per_epoch  # where supervised training ended
        end = RoundEnd(self._round, self.step, epoch, self.validation_loss, accuracy, self._best_accuracy)
        if self._on_round(end):
            self._best_accuracy = accuracy
        self._seconds_validating = time.perf_counter() - started

    def _to_do(self) -> list[bool]:
        """Whether to stop and whether to save, because any process has to."""
        save_due = time.monotonic() - self._last_save >= self._plan.parameters.checkpoint_minutes * 60
        return distributed.any_of(self.stop_requested, save_due)

    def resume(self, checkpoint: Path) -> None:
        """Continue from ``checkpoint``. Raises SelfChatBotError if its weights are not those of this model."""
        state = resume.read_state(checkpoint)
        resume.load_weights(checkpoint, self.model)
        resume.load_optimizer(checkpoint, self.updates.optimizer)
        resume.load_random(checkpoint)
        self.updates.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self._meter.load(state["meter"])
        # There may be less memory than before.
        self.updates.micro_tokens = min(self.updates.micro_tokens, state["micro_tokens"])
        self._round, self._round_start = state["round"], state["round_start"]
        self._reference, self._best_accuracy = state["reference"], state["best_accuracy"]

    def _save(self) -> None:
        self._checkpoints.save(
            self.step,
            {
                resume.WEIGHTS: resume.trained_weights(self.model),
                resume.OPTIMIZER: resume.optimizer_tensors(self.updates.optimizer),
                resume.RANDOM: resume.random_tensors(),
            },
            {
                "scaler": self.updates.scaler.state_dict(),
                "meter": self._meter.state(),
                "micro_tokens": self.updates.micro_tokens,
                "round": self._round,
                "round_start": self._round_start,
                "reference": self._reference,
                "best_accuracy": self._best_accuracy,
                "own": self._own_state(),
            },
        )
        self._last_save = time.monotonic()

    def _remaining_batches(self) -> Iterator[Batch]:
        plan = self._plan
        while self.step < plan.steps:
            epoch, done = divmod(self.step, plan.steps_per_epoch)
            plan.train_batches.set_epoch(epoch)
            for indices in islice(plan.train_batches, done, done + plan.steps - self.step):
                yield self._load(plan.train, indices)

    def _load(self, windows: Any, indices: list[int]) -> Batch:
        batch = collate([windows[index] for index in indices], self._plan.max_length)
        return {name: values.to(self.updates.machine.device) for name, values in batch.items()}

    def _train_step(self, batch: Batch) -> None:
        """One update with the gradient of the mean loss per trained token of the whole batch."""
        started = time.perf_counter()
        count, summed = label_count(batch), self.updates.loss
        mean = self.updates.gradients(batch, lambda model, part: summed(model, part) / count)
        self._check(mean)
        parameters, plan = self._plan.parameters, self._plan
        factor = rate_factor(self.step, plan.steps, parameters.warmup_ratio, parameters.cooldown_ratio)
        self.updates.apply(plan.peak_rate * factor)
        self._done(sum(real_lengths(batch)), started, loss=mean)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise SelfChatBotError(f"the loss is {loss} at step {self.step + 1}: {LOWER_RATE}")

    def _done(self, tokens: int, started: float, **measured: float) -> None:
        """Count a step of so many ``tokens`` without padding that began at ``started``."""
        self.step += 1
        self._meter.add(tokens, time.perf_counter() - started, **measured)

    def _log(self) -> None:
        measured = self._meter.take()
        tracked = measured | {"learning_rate": self.updates.rate}
        self.accelerator.log({f"train/{name}": value for name, value in tracked.items()}, step=self.step)
        loss = measured.pop("loss")
        steps, seconds_left = self._left()
        self._on_log(
            Progress(
                step=self.step,
                steps=self.step + steps,
                loss=loss,
                validation_loss=self.validation_loss,
                tokens_per_second=self._meter.tokens_per_second,
                seconds_left=seconds_left,
            ),
            measured,
        )

    def _left(self) -> tuple[int, float]:
        """The steps that are left, and the seconds for them and their validations."""
        plan, recent = self._plan, self._meter.seconds_per_step
        round_steps = plan.preferences.steps
        if self._round:
            steps = self._round_start + sum(round_steps[self._round - 1 :]) - self.step
            validations = len(round_steps) + 1 - self._round
            return steps, steps * recent + validations * self._seconds_validating
        steps = plan.steps - self.step
        # The validation of this step, if any, is still to come.
        validations = plan.validations - 1 - (self.step - 1) // plan.steps_between_validations + len(round_steps)
        in_rounds = plan.preferences.cost / self._meter.tokens_per_second
        return steps + sum(round_steps), steps * recent + in_rounds + validations * self._seconds_validating
