"""`transformers.Trainer` with our batches, our loss and exact validation; it keeps the loop, devices and optimizer."""

import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from accelerate.data_loader import prepare_data_loader
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from selfchatbot import distributed
from selfchatbot.chat_format import IGNORED
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.trainer import resume
from selfchatbot.trainer.data import Batch, TokenBatches, collate, micro_batches, nothing, real_lengths, share
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.model_setup import checkpoint_gradients
from selfchatbot.trainer.plan import SMALLER
from selfchatbot.trainer.resume import Checkpoints
from selfchatbot.trainer.schedule import schedule

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

CALMER = (
    "lower learning_rate in the training parameters.json and run the same command with --restart; best/ stays as it is"
)


class Loop(transformers.Trainer):  # type: ignore[misc]
    """One step is one batch of ``TokenBatches``; it is computed in pieces of at most ``micro_tokens`` padded tokens.

    When a GPU (or the machine) runs out of memory, the pieces are halved and the step is begun again: the same
    gradient, so the same training.

    Of several processes each sees the whole batch and computes its share of every piece: the loss of a step is the mean
    over the labels of all of them, and so it is that of one process with the same batch.
    """

    control: Any
    lr_scheduler: LambdaLR

    def __init__(
        self,
        *,
        train: "Dataset",
        validation: "Dataset",
        train_batches: TokenBatches,
        validation_batches: TokenBatches,
        micro_tokens: int,
        checkpoints: Checkpoints,
        own_state: Callable[[], dict[str, Any]],
        warmup: float,
        cooldown: float,
        **kwargs: Any,
    ) -> None:
        """The batches are those of all processes, ``micro_tokens`` those of one.

        ``own_state`` is what the run's owner wants to find again in a checkpoint; ``warmup`` and ``cooldown`` are those
        of `schedule`.
        """
        super().__init__(train_dataset=train, eval_dataset=validation, data_collator=collate, **kwargs)
        if self.is_fsdp_enabled and self.accelerator.state.fsdp_plugin.fsdp_version == 1:
            raise UsageError("FSDP: set fsdp_version to 2 in accelerate's configuration")
        if self.is_deepspeed_enabled:
            logger.info("DeepSpeed: the run can't be saved before its end; if it is stopped, it begins anew")
        torch.manual_seed(self.args.seed + distributed.rank())  # dropout must not be the same everywhere
        self.micro_tokens = micro_tokens
        self.tokens_seen = 0
        self.seconds_training = 0.0
        self._unlogged, self._steps_unlogged = 0.0, 0
        """The losses of the steps since the last logged one, added up, and how many these are."""
        self.seconds_validating = 0.0
        """Of the last validation, and of what was kept and shown then."""
        self._train_batches = train_batches
        self._validation_batches = validation_batches
        self._loss = LabelledLoss(self.model)
        self._checkpoints = checkpoints
        self._own_state = own_state
        self._warmup, self._cooldown = warmup, cooldown

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(self.train_dataset, batch_sampler=self._train_batches, collate_fn=collate)
        whole: DataLoader[Any] = prepare_data_loader(loader, num_processes=1, process_index=0)
        return whole

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        self.lr_scheduler = schedule(optimizer or self.optimizer, num_training_steps, self._warmup, self._cooldown)
        return self.lr_scheduler

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
                total = self._gradients(model, batch, labels)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            model.zero_grad()
            self._shrink(max(real_lengths(batch)))
        if isinstance(model, DistributedDataParallel):
            self._backward(model, nothing(batch), labels)  # exchanges what has been added up
        mean = total.item()
        if not math.isfinite(mean):
            raise SelfChatBotError(f"the loss is {mean} at step {self.state.global_step + 1}: {CALMER}")
        self._unlogged += mean
        self._steps_unlogged += 1
        self.tokens_seen += sum(real_lengths(batch))
        self.seconds_training += time.perf_counter() - started
        return total

    def log(self, logs: dict[str, float], *arguments: Any) -> None:
        """The loss is our mean: that of transformers forgets the steps before a checkpoint."""
        if "loss" in logs:
            logs["loss"] = distributed.total(self._unlogged) / distributed.world_size() / self._steps_unlogged
            self._unlogged, self._steps_unlogged = 0.0, 0
        super().log(logs, *arguments)

    def _gradients(self, model: torch.nn.Module, batch: Batch, labels: torch.Tensor) -> torch.Tensor:
        """Add up the gradients of all pieces, and their losses.

        With DDP nothing is exchanged here, where memory may run out in one process and another number of pieces follow.
        """
        alone = model.no_sync if isinstance(model, DistributedDataParallel) else contextlib.nullcontext
        total = torch.zeros((), device=labels.device)
        pieces = list(self._pieces(batch))
        with alone():
            for number, piece in enumerate(pieces, 1):
                # DeepSpeed makes its step with the last one.
                self.accelerator.gradient_state._set_sync_gradients(number == len(pieces))
                total += self._backward(model, piece, labels)
        return total

    def _backward(self, model: torch.nn.Module, piece: Batch, labels: torch.Tensor) -> torch.Tensor:
        with self.compute_loss_context_manager():
            # The mean over the processes, which they make of their gradients, becomes a sum.
            loss = self._loss(model, piece) / labels * distributed.world_size()
        self.accelerator.backward(loss)
        return loss.detach()

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        """This process's share of each piece of a batch: as many in every process."""
        for piece in micro_batches(batch, self.micro_tokens, distributed.world_size()):
            yield share(piece, distributed.rank(), distributed.world_size())

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss in nats per trained token: the sum over all of them, divided once."""
        started = time.perf_counter()
        self.model.eval()
        total, count = 0.0, 0
        with torch.no_grad(), self.accelerator.autocast():
            for indices in self._validation_batches:
                batch = self._prepare_inputs(collate([self.eval_dataset[index] for index in indices]))
                loss, labels = self._validation_loss(batch)
                total += loss
                count += labels
        metrics = {"eval_loss": distributed.total(total) / max(count, 1)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.seconds_validating = time.perf_counter() - started
        return metrics

    def _save_checkpoint(self, model: torch.nn.Module, trial: object = None) -> None:
        """Ours, where transformers would write pickles, and not at once."""
        self.save_checkpoint()

    def save_checkpoint(self) -> None:
        """Save where the run is now, between two steps; all processes must."""
        if self.is_deepspeed_enabled:
            return  # its optimizer can be kept in pickles only
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
                "unlogged": [distributed.total(self._unlogged) / distributed.world_size(), self._steps_unlogged],
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
        self._unlogged, self._steps_unlogged = state.get("unlogged", (0.0, 0))
        self.micro_tokens = min(self.micro_tokens, state["micro_tokens"])  # there may be less memory than before

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Done with the optimizer."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.load_random(Path(checkpoint))

    def _validation_loss(self, batch: Batch) -> tuple[float, int]:
        while True:
            try:
                losses = [self._loss(self.model, piece).item() for piece in self._pieces(batch)]
                return sum(losses), int(batch["labels"].ne(IGNORED).sum())
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._shrink(max(real_lengths(batch)))

    def _shrink(self, longest: int) -> None:
        """Halve the pieces; when a single window is too much already, trade time for memory once."""
        if distributed.sharded():
            raise SelfChatBotError(
                "out of memory, and processes that share their weights can't try again one by one: set "
                "gradient_checkpointing, or begin more processes with a smaller batch_size each, and run the same "
                "command again"
            )
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
                f"one window of {longest} tokens does not fit into memory: {SMALLER}, and begin anew with --restart"
            )


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch says that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text


@contextlib.contextmanager
def memory_said(advice: str) -> Iterator[None]:
    """Raises SelfChatBotError with ``advice`` when memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise SelfChatBotError(f"out of memory: {advice}") from error
