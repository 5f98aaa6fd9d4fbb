"""The second stage: conversations and a base model to a model that talks like me.

from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer

parameters = read_parameters(folder / "parameters.json", TrainingParameters)
result = Trainer(parameters, folder, results).train()
"""

import logging
import math
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import remove_leftovers, restore_directory
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import GenerationParameters, TrainingParameters, hand_over, handed_over
from selfchatbot.trainer.arguments import training_arguments
from selfchatbot.trainer.callbacks import Progress, Watcher
from selfchatbot.trainer.loop import Loop, memory_said
from selfchatbot.trainer.model_setup import trainable_model
from selfchatbot.trainer.plan import SMALLER, Preparation, conversations_file, prepare, summary
from selfchatbot.trainer.report import LOG_NAME, Report, log_file
from selfchatbot.trainer.result import Result
from selfchatbot.trainer.resume import FOLDER_NAME, Checkpoints, read_state
from selfchatbot.trainer.samples import Sample, Samples
from selfchatbot.trainer.saved_models import save_checkpoint
from selfchatbot.trainer.signals import Stopped, on_signals
from selfchatbot.trainer.token_weights import weighted
from selfchatbot.trainer.trackers import check_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

BEST, FINAL = "best", "final"


class Trainer:
    """Fine-tunes one model on one dataset: fully, with LoRA or with QLoRA.

    ``data`` holds train.jsonl and validation.jsonl, ``output`` receives best/, final/, parameters.json (for playing),
    metrics.jsonl, report.md, loss.png and log.txt. A run that was ended by whatever goes on where it was saved last,
    unless ``restart``. ``on_progress`` is called after each logged step, ``on_samples`` with the step and the samples
    after each validation, ``machine`` defaults to the best device here.
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
    ) -> None:
        self.parameters = parameters
        self.data = data
        self.output = output
        self.result = Result()
        self._on_progress = on_progress
        self._on_samples = on_samples
        self._machine = machine
        self._restart = restart
        self._seconds_saving = 0.0
        """Of best/, the last time: final/ is still to come when all steps are done."""

    def train(self) -> Result:
        """Train, and keep the checkpoint with the best validation loss on the way.

        Ctrl-C and SIGTERM finish and save the step, then raise Stopped, a KeyboardInterrupt that says how to go on.

        Raises SelfChatBotError for data that is not there or holds nothing to train, a model that can't be reached or
        gives no numbers, a loss that grows instead of falling, memory that does not suffice, and another training of
        the same dataset at the same time; UsageError for an unfinished run that had other parameters or data.
        """
        quiet()
        check_trackers(self.parameters.report_to)
        machine = self._machine or fast_machine()
        with distributed.together(machine.device == "cpu"), ExitStack() as stack:
            if distributed.is_main():
                stack.enter_context(self._lock())
                for folder in (self.output, self.output / FOLDER_NAME):
                    remove_leftovers(folder)
                for name in (BEST, FINAL):
                    restore_directory(self.output / name)
            files = [conversations_file(self.data, name) for name in ("train", "validation")]
            checkpoints = Checkpoints(self.output / FOLDER_NAME, self.parameters, files)
            if self._restart:
                checkpoints.clear()
            distributed.wait()
            resumed = checkpoints.latest()
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if not distributed.is_main():
                self.output = scratch  # what every process writes is kept of the first one only
            stack.enter_context(log_file(self.output / LOG_NAME, append=resumed is not None))
            with memory_said(
                "close other programs, and the same command goes on from what was saved last; or "
                f"{SMALLER}, and begin anew with --restart"
            ):
                return self._prepare_and_run(machine, checkpoints, resumed, scratch)

    def _lock(self) -> AbstractContextManager[Any]:
        self.output.mkdir(parents=True, exist_ok=True)
        try:
            return FileLock(self.output / ".training.lock").acquire(timeout=0)
        except Timeout:
            raise SelfChatBotError(f"{self.output}: another training of this dataset is running: wait for it") from None

    def _prepare_and_run(
        self, machine: Machine, checkpoints: Checkpoints, resumed: Path | None, scratch: Path
    ) -> Result:
        import transformers

        parameters = self.parameters
        logger.info("%s of %s on %s", parameters.type_fine_tune, parameters.model, machine.device)
        transformers.set_seed(parameters.seed)  # before the adapters are made: they begin at random
        # Before the model is loaded, so that an empty file is said at once.
        prepared = prepare(parameters, self.data, machine)
        tokenizer, max_length = prepared.chat_format.tokenizer, prepared.max_length
        model = trainable_model(prepared.parameters, machine)
        train = weighted(prepared.train, parameters, conversations_file(self.data, "train"))
        self._to_play = GenerationParameters.start_values(parameters.model, max_length)
        handed_over(self.output, self._to_play)  # a file that the user broke is said at once
        told = None
        if resumed is not None:
            own = read_state(resumed)["own"]
            self.result = Result(**own["result"])
            told = own["report"]
            logger.info("going on with the unfinished run after step %d", told["step"])
            if changed := checkpoints.changed(resumed):
                logger.info("changed since the checkpoint: %s", ", ".join(changed))
        self._report = Report(
            self.output,
            Samples(conversations_file(self.data, "validation"), parameters.samples, prepared.chat_format, max_length),
            {
                "Data": {"train": summary(train), "validation": summary(prepared.validation)},
                "Parameters": prepared.parameters.model_dump(mode="json"),
                "Machine": {
                    "device": f"{machine.device}, {machine.dtype}",
                    "processes": distributed.world_size(),
                    "memory": str(prepared.choice),
                },
            },
            told,
        )
        watcher = Watcher(
            self._progressed,
            lambda step, epoch, loss: self._validated(step, epoch, loss, loop, tokenizer),
            parameters.checkpoint_minutes * 60,
            self._report.metrics.last_validation_loss(),
        )
        loop = Loop(
            model=model,
            args=training_arguments(
                prepared.parameters, machine, self.output if parameters.report_to else scratch, resumed is not None
            ),
            train=train,
            validation=prepared.validation,
            train_batches=prepared.train_batches,
            validation_batches=prepared.validation_batches,
            micro_tokens=prepared.choice.micro_tokens,
            checkpoints=checkpoints,
            own_state=lambda: self._state(loop.state.global_step),
            warmup=parameters.warmup_ratio,
            cooldown=parameters.cooldown_ratio,
            callbacks=[watcher],
        )
        watcher.loop = loop
        loop.remove_callback(transformers.PrinterCallback)
        self._plan(loop, prepared)
        self._run(loop, watcher, resumed)
        self._save(FINAL, loop, tokenizer)
        checkpoints.clear()
        return self.result

    def _run(self, loop: Loop, watcher: Watcher, resumed: Path | None) -> None:
        """Train to the end. Raises Stopped when a signal asked for that, and KeyboardInterrupt after a second one."""
        asked: list[int] = []

        def ask(number: int) -> None:
            asked.append(number)
            watcher.asked_to_stop = True
            logger.info(
                "stopping after this step%s", " (Ctrl-C again: at once)" if distributed.world_size() == 1 else ""
            )

        try:
            with on_signals(ask):
                loop.train(resume_from_checkpoint=None if resumed is None else str(resumed))
                ended = self.result.stopped_early or loop.state.global_step >= loop.state.max_steps
                unfinished = watcher.stops and not ended
                if unfinished:
                    loop.save_checkpoint()
            if unfinished:
                number = asked[0] if asked else signal.SIGTERM
                raise Stopped(self._interrupted(loop, "from there"), number)
            if self.result.steps != loop.state.global_step:
                loop.evaluate()
        except Stopped:
            raise
        except KeyboardInterrupt:
            raise Stopped(self._interrupted(loop, "where it was saved last"), signal.SIGINT) from None
        finally:
            if distributed.is_main():
                with suppress(OSError):  # of a full disk; the error that it brought elsewhere says more
                    self._report.write()

    def _state(self, step: int) -> dict[str, Any]:
        """What a checkpoint keeps of ours; the losses up to there are on disk before it is."""
        self._report.metrics.sync()
        return {"result": asdict(self.result), "report": self._report.state(step)}

    def _progressed(self, progress: Progress) -> None:
        self._report.metrics.add(
            step=progress.step, loss=progress.loss, tokens_per_second=round(progress.tokens_per_second, 1)
        )
        left = progress.seconds_left + self._seconds_saving
        self._on_progress(
            replace(progress, base_loss=self.result.base_loss, memory=self._report.memory, seconds_left=left)
        )

    def _validated(
        self, step: int, epoch: float, loss: float, loop: Loop, tokenizer: "PreTrainedTokenizerBase"
    ) -> bool:
        """Keep the best checkpoint; whether to go on.

        Raises SelfChatBotError for a loss that is no number or far above the base model's.
        """
        self._report.metrics.add(step=step, epoch=round(epoch, 3), validation_loss=loss)
        result = self.result
        if step == 0:
            result.base_loss = loss
            logger.info("validation loss of the base model: %.3f nats per trained token", loss)
            if not math.isfinite(loss):
                raise SelfChatBotError(
                    f'model "{self.parameters.model}" gives no numbers: its validation loss is {loss} before any '
                    "training; use another model"
                )
        else:
            better = result.validated(step, loss, self.parameters.early_stopping_patience)
            logger.info("step %d, epoch %.2f: validation loss %.3f%s", step, epoch, loss, " (best)" if better else "")
            if better:
                self._save(BEST, loop, tokenizer)
        self._show_samples(step, loop)
        return not result.stopped_early

    def _show_samples(self, step: int, loop: Loop) -> None:
        # No process alone can run a model that is spread over all.
        if distributed.is_main() and not distributed.sharded():
            self._on_samples(step, self._report.samples.answer(loop.accelerator.unwrap_model(loop.model), step))

    def _save(self, name: str, loop: Loop, tokenizer: "PreTrainedTokenizerBase") -> None:
        started = time.perf_counter()
        weights = loop.accelerator.get_state_dict(loop.model_wrapped) if distributed.sharded() else None
        save_checkpoint(self.output / name, loop.accelerator.unwrap_model(loop.model), tokenizer, weights)
        hand_over(self.output, self._to_play)  # not before: an earlier run's best/ is played with its own
        self._seconds_saving = time.perf_counter() - started

    def _plan(self, loop: Loop, prepared: Preparation) -> None:
        """Fill in what depends on the number of steps: how often to validate, how often to log."""
        arguments = loop.args
        arguments.eval_steps = prepared.steps_between_validations
        arguments.logging_steps = max(1, prepared.steps // 500)
        logger.info("%d steps: %d an epoch", prepared.steps, prepared.steps_per_epoch)

    def _interrupted(self, loop: Loop, where: str) -> str:
        if self.result.best_step:
            there = f"best/ is the model after step {self.result.best_step}"
        elif (self.output / BEST).exists():
            there = "best/ is still that of an earlier run"
        else:
            there = "there is no best/ yet"
        again = f"goes on {where}, --restart begins anew"
        if loop.is_deepspeed_enabled:
            again = "begins anew: with DeepSpeed nothing is saved before the end"
        return f"stopped after step {loop.state.global_step}; {there}. The same command {again}."


__all__ = ["Progress", "Result", "Trainer"]
