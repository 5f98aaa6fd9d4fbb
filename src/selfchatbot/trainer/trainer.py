"""The second stage: from conversations and a base model to a model that talks like me.

from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer

parameters = read_parameters(folder / "parameters.json", TrainingParameters)
result = Trainer(parameters, folder, results).train()
"""

import logging
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import Timeout

from selfchatbot import distributed
from selfchatbot.environment import PREFERENCES_FILE, conversations_file
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import remove_leftovers, restore_directory
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import GenerationParameters, TrainingParameters, hand_over, handed_over
from selfchatbot.runs import begin_run, run_name
from selfchatbot.trainer.accelerator import make_accelerator
from selfchatbot.trainer.lock import training_lock
from selfchatbot.trainer.loop import Loop
from selfchatbot.trainer.model_setup import trainable_model
from selfchatbot.trainer.out_of_memory import SMALLER, out_of_memory_advice
from selfchatbot.trainer.plan import TrainingPlan, plan_training, summary
from selfchatbot.trainer.report import LOG_NAME, Report, log_file
from selfchatbot.trainer.result import MOST_LOSS, Progress, Result, RoundEnd
from selfchatbot.trainer.resume import CHECKPOINTS_FOLDER, Checkpoints, read_state, undamaged
from selfchatbot.trainer.samples import Sample, Samples
from selfchatbot.trainer.saved_models import save_model
from selfchatbot.trainer.signals import Stopped, on_signals
from selfchatbot.trainer.trackers import check_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

BEST, FINAL = "best", "final"


class Trainer:
    """Fine-tunes one model on one dataset: fully, with LoRA or with QLoRA.

    ``data`` holds train.jsonl and validation.jsonl. ``output`` receives best/, final/, parameters.json (for playing),
    metrics.jsonl, report.md, loss.png and log.txt. An unfinished run resumes from its last checkpoint unless
    ``restart``. ``on_progress`` is called after each logged step, ``on_samples`` after each validation with the step
    and the samples. ``machine`` defaults to the best device, ``name``, of the run, to the time. A finished run in
    ``output`` is moved to runs/ there.
    """

    def __init__(
        self,
        parameters: TrainingParameters,
        data: Path,
        output: Path,
        on_progress: Callable[[Progress], None] = lambda _: None,
        machine: Machine | None = None,
        restart: bool = False,
        on_samples: Callable[[int, list[Sample]], None] = lambda _, __: None,
        name: str | None = None,
    ) -> None:
        self.parameters = parameters
        self.data = data
        self.output = output
        self.result = Result()
        self._on_progress = on_progress
        self._on_samples = on_samples
        self._machine = machine
        self._restart = restart
        self._name = name
        self._seconds_saving = 0.0
        """Duration of the last save of best/: final/ will take as long, after the last step."""

    def train(self) -> Result:
        """Train, keeping the model with the best validation loss on the way.

        Ctrl-C and SIGTERM finish the step and save it, then raise Stopped, a KeyboardInterrupt that says how to resume.

        Raises SelfChatBotError for data that is missing or has nothing to train, a model that can't be reached or
        computes no numbers, a diverging loss, too little memory, and another training of the same dataset at the same
        time; UsageError for an unfinished run with other parameters or data.
        """
        quiet()
        check_trackers(self.parameters.report_to)
        machine = self._machine or fast_machine()
        with distributed.together(machine.device == "cpu"), ExitStack() as stack:
            if distributed.is_main():
                stack.enter_context(self._lock())
                for folder in (self.data, self.output, self.output / CHECKPOINTS_FOLDER):
                    remove_leftovers(folder)
                for name in (BEST, FINAL, f"{CHECKPOINTS_FOLDER}/{BEST}"):
                    restore_directory(self.output / name)
            files = [conversations_file(self.data, name) for name in ("train", "validation")]
            checkpoints = Checkpoints(self.output / CHECKPOINTS_FOLDER, self.parameters, files)
            if self._restart:
                checkpoints.clear()
            distributed.wait()
            checkpoint = checkpoints.latest()
            if self.parameters.preference_rounds and checkpoint is None:
                checkpoints.keep_ratings(self.output / PREFERENCES_FILE)
            kept = begin_run(self.output, self._name) if checkpoint is None and distributed.is_main() else None
            if not distributed.is_main():  # what other processes write is thrown away
                # Its name is one that `remove_leftovers` knows.
                own = tempfile.TemporaryDirectory(f"-{os.getpid()}", ".process.partial-", self.output)
                self.output = Path(stack.enter_context(own))
            stack.enter_context(log_file(self.output / LOG_NAME, append=checkpoint is not None))
            self._checkpoints = checkpoints
            if kept:
                logger.info("the run before this one is kept in runs/%s", kept)
            if checkpoint is not None and self._name not in (None, run_name(self.output)):
                logger.info('this goes on with the run "%s"; --name is for a new one', run_name(self.output))
            advice = f"close other programs and run the same command again to resume; or {SMALLER}, with --restart"
            with out_of_memory_advice(advice):
                return self._prepare_and_run(machine, checkpoints, checkpoint)

    def _lock(self) -> AbstractContextManager[Any]:
        self.output.mkdir(parents=True, exist_ok=True)
        try:
            return training_lock(self.output).acquire(timeout=0)
        except Timeout:
            raise SelfChatBotError(f"{self.output}: another training of this dataset is running: wait for it") from None

    def _prepare_and_run(self, machine: Machine, checkpoints: Checkpoints, checkpoint: Path | None) -> Result:
        parameters = self.parameters
        logger.info("%s of %s on %s", parameters.type_fine_tune, parameters.model, machine.device)
        torch.manual_seed(parameters.seed)  # adapters start at random
        # Before the model is loaded: an empty file is found soon.
        plan = plan_training(parameters, self.data, machine, ratings=checkpoints.ratings)
        self._tokenizer: PreTrainedTokenizerBase = plan.chat_format.tokenizer
        self._generation = GenerationParameters.start_values(parameters.model, plan.max_length)
        handed_over(self.output, self._generation)  # raises now if the user broke the file
        model = trainable_model(plan.parameters, machine)
        report_state = None
        if checkpoint is not None:
            with undamaged(checkpoint):
                own_state = read_state(checkpoint)["own"]
                self.result, report_state = Result(**own_state["result"]), own_state["report"]
                logger.info("resuming the unfinished run after step %d", int(report_state["step"]))
            if changed := checkpoints.changed(checkpoint):
                logger.info("changed since the checkpoint: %s", ", ".join(changed))
        with undamaged(checkpoint) if checkpoint else nullcontext():
            self._report = self._make_report(plan, machine, report_state)
        accelerator = make_accelerator(plan.parameters, machine, self.output)
        try:
            callbacks = (self._logged, self._validated, self._round_ended, self._own_state)
            self._loop = Loop(model, plan, machine, accelerator, checkpoints, *callbacks)
            if checkpoint is not None:
                self._loop.validated_step = self.result.steps
                self._loop.validation_loss = self._report.metrics.last_validation_loss()
                with undamaged(checkpoint):
                    self._loop.resume(checkpoint)
            rounds = "".join(f", then {steps} in a preference round" for steps in plan.preferences.steps)
            logger.info("%d steps: %d per epoch%s", plan.steps, plan.steps_per_epoch, rounds)
            self._run(self._loop)
        finally:
            for tracker in accelerator.trackers:  # `end_training` would also end the group of processes
                tracker.finish()
        self._save(FINAL)
        checkpoints.clear()
        del self._loop  # and with it the model: what comes next needs the memory
        return self.result

    def _make_report(self, plan: TrainingPlan, machine: Machine, state: dict[str, Any] | None) -> Report:
        validation = conversations_file(self.data, "validation")
        return Report(
            self.output,
            Samples(validation, self.parameters.samples, plan.chat_format, plan.max_length),
            {
                "Data": {"train": summary(plan.train), "validation": summary(plan.validation)},
                "Parameters": plan.parameters.model_dump(mode="json"),
                "Machine": {
                    "device": f"{machine.device}, {machine.dtype}",
                    "processes": distributed.world_size(),
                    "memory": str(plan.memory),
                },
            },
            state,
        )

    def _run(self, loop: Loop) -> None:
        """Train to the end. Raises Stopped when a signal asked for that, and KeyboardInterrupt after a second one."""
        received: list[int] = []

        def stop(number: int) -> None:
            received.append(number)
            loop.stop_requested = True
            again = " (Ctrl-C again stops at once)" if distributed.world_size() == 1 else ""
            logger.info("stopping after this step%s", again)

        try:
            with on_signals(stop):
                complete = loop.run()
            if not complete:  # the signal may have reached another process only
                if not self.result.best_step and loop.step and not distributed.sharded():
                    self._save(BEST)  # there is something to talk to, even before the first validation
                raise Stopped(self._interrupted("from there"), received[0] if received else signal.SIGTERM)
        except Stopped:
            raise
        except KeyboardInterrupt:
            raise Stopped(self._interrupted("from the last checkpoint"), signal.SIGINT) from None
        finally:
            if distributed.is_main():
                with suppress(OSError):  # the disk may be full, which another error tells better
                    self._report.write()

    def _own_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the result and the report; the losses until then are on disk before it is."""
        self._report.metrics.sync()
        return {"result": asdict(self.result), "report": self._report.state(self._loop.step)}

    def _logged(self, progress: Progress, measured: dict[str, float]) -> None:
        speed = round(progress.tokens_per_second, 1)
        self._report.metrics.add(step=progress.step, loss=progress.loss, **measured, tokens_per_second=speed)
        seconds_left = progress.seconds_left + self._seconds_saving
        self._on_progress(
            replace(progress, base_loss=self.result.base_loss, memory=self._report.memory, seconds_left=seconds_left)
        )

    def _validated(self, step: int, epoch: float, loss: float) -> bool:
        """Save the model if it is the best; returns whether to go on.

        Raises SelfChatBotError for a loss that is not a number or far above the base model's.
        """
        self._report.metrics.add(step=step, epoch=round(epoch, 3), validation_loss=loss)
        result = self.result
        if step == 0:
            result.base_loss = loss
            logger.info("validation loss of the base model: %.3f", loss)
            if not math.isfinite(loss):
                raise SelfChatBotError(
                    f'model "{self.parameters.model}" computes no numbers: its validation loss is {loss} before any '
                    "training; use another model"
                )
        else:
            better = result.add_validation(step, loss, self.parameters.early_stopping_patience)
            logger.info("step %d, epoch %.2f: validation loss %.3f%s", step, epoch, loss, " (best)" if better else "")
            if better:
                self._save(BEST)
                if self.parameters.preference_rounds:
                    self._checkpoints.save_best(self._loop.model)
        self._show_samples(step)
        return not result.stopped_early

    def _round_ended(self, end: RoundEnd) -> bool:
        """Save the model if it is now the best; returns whether it is."""
        better = self.result.add_round(end)
        self._report.metrics.add(
            step=end.step,
            epoch=round(end.epoch, 3),
            preference_round=end.number,
            pair_accuracy=end.accuracy if math.isfinite(end.accuracy) else None,
            validation_loss=end.loss,
            best=better,
        )
        limit, kept = self.result.lowest_loss + MOST_LOSS, "is now this model" if better else "stays as it is"
        logger.info("%s, may be %.3f: best/ %s", end, limit, kept)
        if better:
            self._save(BEST)
        self._show_samples(end.step)
        return better

    def _show_samples(self, step: int) -> None:
        # A model that is sharded can't be run by one process alone.
        if distributed.is_main() and not distributed.sharded():
            self._on_samples(step, self._report.samples.answer(self._loop.model, step))

    def _save(self, name: str) -> None:
        started = time.perf_counter()
        loop = self._loop
        weights = loop.accelerator.get_state_dict(loop.updates.wrapped) if distributed.sharded() else None
        save_model(self.output / name, loop.model, self._tokenizer, self._checkpoints.run, weights)
        hand_over(self.output, self._generation)  # not before: an earlier run's best/ is played with its own
        self._seconds_saving = time.perf_counter() - started

    def _interrupted(self, resumes: str) -> str:
        if self.result.best_step:
            best = f"best/ is the model after step {self.result.best_step}"
        elif (self.output / BEST).exists():
            best = "best/ is the model as it is now, before its first validation"
        else:
            best = "there is no best/ yet"
        return (
            f"stopped after step {self._loop.step}; {best}. The same command resumes {resumes}, --restart starts over."
        )


__all__ = ["Progress", "Result", "Trainer"]
