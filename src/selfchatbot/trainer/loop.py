"""The training loop: steps, validations and checkpoints."""

import logging
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.nn.parallel import DistributedDataParallel

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError, lacks_memory
from selfchatbot.models import Machine
from selfchatbot.trainer import resume
from selfchatbot.trainer.data import Batch, collate, label_count, micro_batches, nothing, real_lengths, share
from selfchatbot.trainer.loss import LabelledLoss, length_multiple
from selfchatbot.trainer.model_setup import adamw, add_embedding_noise, checkpoint_gradients
from selfchatbot.trainer.out_of_memory import SMALLER
from selfchatbot.trainer.plan import TrainingPlan
from selfchatbot.trainer.result import LOWER_RATE, Progress
from selfchatbot.trainer.schedule import rate_factor

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

T = TypeVar("T")

RECENT_STEPS = 20
"""The remaining time is extrapolated from this many steps: the speed of a shared machine changes."""


class Loop:
    """Trains a model by a plan; each step is one batch, computed in micro-batches of at most ``micro_tokens`` tokens.

    When memory runs out, the micro-batches are halved and the step starts over: the gradient is the same, and so is
    the training.

    With several processes, each sees the whole batch and computes its share of every micro-batch. The loss of a step is
    the mean over the labels of all processes, so it equals that of one process with the same batch.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        plan: TrainingPlan,
        machine: Machine,
        accelerator: "Accelerator",
        checkpoints: resume.Checkpoints,
        on_log: Callable[[Progress], None],
        on_validation: Callable[[int, float, float], bool],
        own_state: Callable[[], dict[str, Any]],
    ) -> None:
        """``on_validation(step, epoch, loss)`` returns whether to continue; ``own_state`` is saved in checkpoints."""
        parameters = plan.parameters
        self.model = model
        self.accelerator = accelerator
        self.step = 0
        self.stop_requested = False
        """Set it at any time: the running step is finished, then a checkpoint is saved."""
        self.validation_loss = math.nan
        self.micro_tokens = plan.memory.micro_tokens
        self._gradient_checkpointing = plan.memory.gradient_checkpointing
        self._plan = plan
        self._machine = machine
        self._checkpoints = checkpoints
        self._on_log, self._on_validation, self._own_state = on_log, on_validation, own_state
        self._loss = LabelledLoss(model, length_multiple(machine))
        if parameters.neftune_alpha is not None:
            add_embedding_noise(model, parameters.neftune_alpha)
        self._optimizer: torch.optim.Optimizer = adamw(model, parameters, machine)
        self._scaler = torch.amp.GradScaler(machine.device, enabled=machine.dtype == torch.float16)
        self.wrapped: torch.nn.Module = model
        """The model as DDP or FSDP wraps it; FSDP changes ``model`` itself."""
        if distributed.world_size() > 1:
            self.wrapped, self._optimizer = accelerator.prepare(model, self._optimizer)
        torch.manual_seed(parameters.seed + distributed.rank())  # dropout must differ between processes
        self._tokens_seen = 0
        self._seconds_training = 0.0
        self._seconds_validating = 0.0
        """Duration of the last validation, including what its callback saves and shows."""
        self._recent_seconds: deque[float] = deque(maxlen=RECENT_STEPS)
        self._unlogged_loss, self._unlogged_steps = 0.0, 0
        """Sum of the losses since the last log, and how many they are."""
        self._last_save = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self._plan.steps

    def run(self) -> bool:
        """Train to the end; False if it was asked to stop and has saved a checkpoint.

        Raises SelfChatBotError for a loss that is not a number and for memory that does not suffice.
        """
        plan = self._plan
        if self.step == 0:
            self.validate()
        for batch in self._remaining_batches():
            self._train_step(batch)
            save_due = time.monotonic() - self._last_save >= plan.parameters.checkpoint_minutes * 60
            stop, save = distributed.any_of(self.stop_requested, save_due)
            if self.step % plan.steps_between_logs == 0:
                self._log()
            if self.step % plan.steps_between_validations == 0 and not self.validate():
                return True
            if self.finished:
                break
            if stop or save:
                self._save()
            if stop:
                return False
        return True

    def validate(self) -> bool:
        """Whether to go on after a validation.

        Its loss, in nats per trained token, is exact: the sum over all tokens, divided once.
        """
        started = time.perf_counter()
        self.model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for indices in self._plan.validation_batches:
                batch = self._load(self._plan.validation, indices)
                total += self._with_retries(self._summed_loss, batch)
                count += int(label_count(batch))
        self.validation_loss = distributed.total(total) / max(count, 1)
        self.accelerator.log({"eval/loss": self.validation_loss}, step=self.step)
        going_on = self._on_validation(self.step, self.step / self._plan.steps_per_epoch, self.validation_loss)
        self._seconds_validating = time.perf_counter() - started
        return going_on

    def resume(self, checkpoint: Path) -> None:
        """Continue from ``checkpoint``. Raises SelfChatBotError if its weights are not those of this model."""
        state = resume.read_state(checkpoint)
        resume.load_weights(checkpoint, self.model)
        resume.load_optimizer(checkpoint, self._optimizer)
        resume.load_random(checkpoint)
        self._scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self._tokens_seen, self._seconds_training = state["tokens_seen"], state["seconds_training"]
        self._unlogged_loss, self._unlogged_steps = state["unlogged_loss"], state["unlogged_steps"]
        self.micro_tokens = min(self.micro_tokens, state["micro_tokens"])  # there may be less memory than before

    def _save(self) -> None:
        self._checkpoints.save(
            self.step,
            {
                resume.WEIGHTS: resume.trained_weights(self.model),
                resume.OPTIMIZER: resume.optimizer_tensors(self._optimizer),
                resume.RANDOM: resume.random_tensors(),
            },
            {
                "scaler": self._scaler.state_dict(),
                "tokens_seen": self._tokens_seen,
                "seconds_training": self._seconds_training,
                "micro_tokens": self.micro_tokens,
                "unlogged_loss": distributed.total(self._unlogged_loss) / distributed.world_size(),
                "unlogged_steps": self._unlogged_steps,
                "own": self._own_state(),
            },
        )
        self._last_save = time.monotonic()

    def _remaining_batches(self) -> Iterator[Batch]:
        plan = self._plan
        while not self.finished:
            epoch, done = divmod(self.step, plan.steps_per_epoch)
            plan.train_batches.set_epoch(epoch)
            for indices in islice(plan.train_batches, done, done + plan.steps - self.step):
                yield self._load(plan.train, indices)

    def _load(self, windows: Any, indices: list[int]) -> Batch:
        batch = collate([windows[index] for index in indices], self._plan.max_length)
        return {name: values.to(self._machine.device) for name, values in batch.items()}

    def _train_step(self, batch: Batch) -> None:
        """One update with the gradient of the mean loss per trained token of the whole batch."""
        started = time.perf_counter()
        self.wrapped.train()
        total = self._with_retries(self._accumulate, batch)
        if isinstance(self.wrapped, DistributedDataParallel):
            self._backward(nothing(batch), label_count(batch))  # exchanges the accumulated gradients
        mean = total.item()
        if not math.isfinite(mean):
            raise SelfChatBotError(f"the loss is {mean} at step {self.step + 1}: {LOWER_RATE}")
        self._scaler.unscale_(self._optimizer)
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self._plan.parameters.max_grad_norm)
        parameters, plan = self._plan.parameters, self._plan
        rate = plan.peak_rate * rate_factor(self.step, plan.steps, parameters.warmup_ratio, parameters.cooldown_ratio)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        self.step += 1
        self._unlogged_loss += mean
        self._unlogged_steps += 1
        self._tokens_seen += sum(real_lengths(batch))
        self._recent_seconds.append(time.perf_counter() - started)
        self._seconds_training += self._recent_seconds[-1]

    def _accumulate(self, batch: Batch) -> torch.Tensor:
        """Add up the gradients of all micro-batches; returns the sum of their losses.

        DDP exchanges nothing here: memory may run out in a single process, which then needs more micro-batches.
        """
        alone = isinstance(self.wrapped, DistributedDataParallel)
        context: AbstractContextManager[None] = self.accelerator.no_sync(self.wrapped) if alone else nullcontext()
        labels = label_count(batch)
        total = torch.zeros((), device=labels.device)
        with context:
            for micro_batch in self._own_share(batch):
                total += self._backward(micro_batch, labels)
        return total

    def _backward(self, micro_batch: Batch, labels: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            # DDP and FSDP average gradients over the processes: times their number, that is a sum.
            loss = self._loss(self.wrapped, micro_batch) / labels * distributed.world_size()
        self.accelerator.backward(self._scaler.scale(loss))
        return loss.detach()

    def _summed_loss(self, batch: Batch) -> float:
        with self._autocast():
            return sum(self._loss(self.model, micro_batch).item() for micro_batch in self._own_share(batch))

    def _autocast(self) -> torch.autocast:
        dtype = self._machine.dtype
        return torch.autocast(self._machine.device, dtype, enabled=dtype != torch.float32)

    def _own_share(self, batch: Batch) -> Iterator[Batch]:
        """This process's share of each micro-batch: the same number of them in every process."""
        parts = micro_batches(batch, self.micro_tokens, distributed.world_size(), length_multiple(self._machine))
        return (share(part, distributed.rank(), distributed.world_size()) for part in parts)

    def _log(self) -> None:
        plan = self._plan
        loss = distributed.total(self._unlogged_loss) / distributed.world_size() / self._unlogged_steps
        self._unlogged_loss, self._unlogged_steps = 0.0, 0
        rate = self._optimizer.param_groups[0]["lr"]
        self.accelerator.log({"train/loss": loss, "train/learning_rate": rate}, step=self.step)
        # The validation of this step, if any, is still to come.
        validations_left = plan.validations - 1 - (self.step - 1) // plan.steps_between_validations
        seconds_left = (plan.steps - self.step) * statistics.fmean(self._recent_seconds)
        self._on_log(
            Progress(
                step=self.step,
                steps=plan.steps,
                loss=loss,
                validation_loss=self.validation_loss,
                tokens_per_second=self._tokens_seen / max(self._seconds_training, 1e-9),
                seconds_left=seconds_left + validations_left * self._seconds_validating,
            )
        )

    def _with_retries(self, compute: Callable[[Batch], T], batch: Batch) -> T:
        """``compute(batch)``, repeated with smaller micro-batches when memory runs out."""
        while True:
            try:
                return compute(batch)
            except (RuntimeError, MemoryError) as error:
                if not lacks_memory(error):
                    raise
            self._optimizer.zero_grad()
            self._use_less_memory(max(real_lengths(batch)))

    def _use_less_memory(self, longest: int) -> None:
        """Halve the micro-batches; if a single window of ``longest`` tokens is too much, checkpoint gradients.

        Raises SelfChatBotError when nothing is left to try.
        """
        if distributed.sharded():
            raise SelfChatBotError(
                "out of memory: processes that share weights can't retry one by one; set gradient_checkpointing, or "
                "use more processes with a smaller batch_size each, and run the same command again"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.micro_tokens > longest:
            self.micro_tokens = max(self.micro_tokens // 2, longest)
            logger.info("out of memory: continuing with micro-batches of %d tokens, same steps", self.micro_tokens)
        elif not self._gradient_checkpointing:
            self._gradient_checkpointing = True
            checkpoint_gradients(self.model)
            logger.info("out of memory: continuing with gradient_checkpointing, about a third slower")
        else:
            raise SelfChatBotError(
                f"out of memory: a window of {longest} tokens does not fit: {SMALLER}, and start over with --restart"
            )
