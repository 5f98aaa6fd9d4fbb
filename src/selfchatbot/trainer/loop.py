"""`transformers.Trainer` with our batches, our loss and exact validation; it keeps the loop, devices and optimizer."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.utils.data import DataLoader

from selfchatbot.chat_format import IGNORED
from selfchatbot.errors import SelfChatBotError
from selfchatbot.trainer import resume
from selfchatbot.trainer.data import Batch, TokenBatches, collate, micro_batches, real_lengths
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.method import checkpoint_gradients
from selfchatbot.trainer.resume import Checkpoints

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


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
    """Real tokens, without padding, over the last steps; validation not counted."""
    seconds_left: float


class Loop(transformers.Trainer):  # type: ignore[misc]
    """One step is one batch of ``TokenBatches``; it is computed in pieces of at most ``micro_tokens`` padded tokens.

    When a GPU (or the machine) runs out of memory, the pieces are halved and the step is begun again: the same
    gradient, so the same training.
    """

    control: Any

    def __init__(
        self,
        *,
        train: "Dataset",
        validation: "Dataset",
        step_tokens: int,
        micro_tokens: int,
        checkpoints: Checkpoints,
        own_state: Callable[[], dict[str, Any]],
        **kwargs: Any,
    ) -> None:
        """``own_state`` is what the run's owner wants to find again in a checkpoint."""
        super().__init__(train_dataset=train, eval_dataset=validation, data_collator=collate, **kwargs)
        self.micro_tokens = micro_tokens
        self.tokens_seen = 0
        self.seconds_training = 0.0
        self.seconds_validating = 0.0
        """Of the last validation."""
        self._batches = TokenBatches([len(ids) for ids in train["input_ids"]], step_tokens, self.args.seed)
        self._validation = TokenBatches([len(ids) for ids in validation["input_ids"]], step_tokens, None)
        self._loss = LabelledLoss(self.model)
        self._checkpoints = checkpoints
        self._own_state = own_state

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(self.train_dataset, batch_sampler=self._batches, collate_fn=collate)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Gradients of the mean loss per trained token of the whole batch; returns that mean."""
        started = time.perf_counter()
        model.train()
        batch: Batch = self._prepare_inputs(inputs)
        labels = batch["labels"].ne(IGNORED).sum()
        while True:
            try:
                total = torch.zeros((), device=labels.device)
                for piece in micro_batches(batch, self.micro_tokens):
                    with self.compute_loss_context_manager():
                        loss = self._loss(model, piece) / labels
                    self.accelerator.backward(loss)
                    total += loss.detach()
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            model.zero_grad()
            self._shrink(max(real_lengths(batch)))
        if not torch.isfinite(total):
            raise SelfChatBotError(
                f"the loss is {total.item()} at step {self.state.global_step + 1}: lower learning_rate in the training "
                "parameters.json and run the same command again; best/ stays as it is"
            )
        self.tokens_seen += sum(real_lengths(batch))
        self.seconds_training += time.perf_counter() - started
        return total

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss in nats per trained token: the sum over all of them, divided once."""
        started = time.perf_counter()
        self.model.eval()
        total, count = 0.0, 0
        with torch.no_grad(), self.accelerator.autocast():
            for indices in self._validation:
                batch = self._prepare_inputs(collate([self.eval_dataset[index] for index in indices]))
                loss, labels = self._validation_loss(batch)
                total += loss
                count += labels
        metrics = {"eval_loss": total / max(count, 1)}
        self.seconds_validating = time.perf_counter() - started
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: torch.nn.Module, trial: object = None) -> None:
        """Ours, where transformers would write pickles, and not at once."""
        self.save_checkpoint()

    def save_checkpoint(self) -> None:
        """Save where the run is now, between two steps."""
        scaler = self.accelerator.scaler
        self._checkpoints.save(
            self.state.global_step,
            {
                resume.WEIGHTS: resume.trained_weights(self.model),
                resume.OPTIMIZER: resume.optimizer_tensors(self.optimizer),
                resume.RANDOM: resume.random_tensors(),
            },
            # The history is in metrics.jsonl.
            dataclasses.asdict(self.state) | {"log_history": []},
            {
                "optimizer": resume.optimizer_groups(self.optimizer),
                "scheduler": self.lr_scheduler.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "tokens_seen": self.tokens_seen,
                "seconds_training": self.seconds_training,
                "micro_tokens": self.micro_tokens,
                "own": self._own_state(),
            },
        )

    def _load_from_checkpoint(self, checkpoint: str, model: Any = None) -> None:
        resume.load_weights(Path(checkpoint), self.model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state = resume.read_state(Path(checkpoint))
        resume.load_optimizer(Path(checkpoint), state["optimizer"], self.optimizer)
        self.lr_scheduler.load_state_dict(state["scheduler"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.tokens_seen, self.seconds_training = state["tokens_seen"], state["seconds_training"]
        self.micro_tokens = state["micro_tokens"]

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Done with the optimizer."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.load_random(Path(checkpoint))

    def _validation_loss(self, batch: Batch) -> tuple[float, int]:
        while True:
            try:
                losses = [self._loss(self.model, piece).item() for piece in micro_batches(batch, self.micro_tokens)]
                return sum(losses), int(batch["labels"].ne(IGNORED).sum())
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._shrink(max(real_lengths(batch)))

    def _shrink(self, longest: int) -> None:
        """Halve the pieces; when a single window is too much already, trade time for memory once."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.micro_tokens > longest:
            self.micro_tokens = max(self.micro_tokens // 2, longest)
            logger.info("out of memory: going on with pieces of %d tokens, the same steps", self.micro_tokens)
        elif not self.model.is_gradient_checkpointing:
            checkpoint_gradients(self.model)
            logger.info("out of memory: going on with gradient_checkpointing, about a third slower")
        else:
            raise SelfChatBotError(
                f"one window of {longest} tokens does not fit into memory: lower max_length, "
                'or use type_fine_tune "qlora" or a smaller model'
            )


class Watcher(transformers.TrainerCallback):  # type: ignore[misc]
    """Tells the run's owner about every logged step and every validation."""

    def __init__(
        self,
        on_progress: Callable[[Progress], None],
        on_validation: Callable[[int, float, float], bool],
        checkpoint_seconds: float,
    ) -> None:
        """``on_validation(step, epoch, loss)`` returns whether to go on."""
        self._on_progress = on_progress
        self._on_validation = on_validation
        self._checkpoint_seconds = checkpoint_seconds
        self._saved_at = time.monotonic()
        self.loop: Loop | None = None
        self._validation_loss = math.nan
        self.asked_to_stop = False

    def on_step_end(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        **_: Any,
    ) -> None:
        if self.asked_to_stop:
            control.should_training_stop = True  # whoever asked saves what there is then
        elif time.monotonic() - self._saved_at >= self._checkpoint_seconds:
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
        validations_left = math.ceil(steps_left / max(1.0, float(args.eval_steps or state.max_steps)))
        self._on_progress(
            Progress(
                step=state.global_step,
                steps=state.max_steps,
                loss=logs["loss"],
                validation_loss=self._validation_loss,
                tokens_per_second=loop.tokens_seen / max(loop.seconds_training, 1e-9),
                seconds_left=steps_left * loop.seconds_training / max(state.global_step, 1)
                + validations_left * loop.seconds_validating,
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


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch says that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
