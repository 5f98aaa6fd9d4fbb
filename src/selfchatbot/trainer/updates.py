"""Losses and gradient steps of a model, computed in micro-batches that fit into memory."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.nn.parallel import DistributedDataParallel

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError, lacks_memory
from selfchatbot.models import Machine
from selfchatbot.trainer.data import Batch, micro_batches, nothing, real_lengths, share
from selfchatbot.trainer.loss import LabelledLoss, length_multiple
from selfchatbot.trainer.memory_estimate import MemoryPlan
from selfchatbot.trainer.model_setup import adamw, add_embedding_noise, checkpoint_gradients
from selfchatbot.trainer.out_of_memory import SMALLER

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

    from selfchatbot.parameters import TrainingParameters

logger = logging.getLogger(__name__)

T = TypeVar("T")
Loss = Callable[[torch.nn.Module, Batch], torch.Tensor]
"""A sum over a micro-batch, as a scalar; zero for one without labels."""


class Updates:
    """Computes each batch in micro-batches of at most ``micro_tokens`` tokens.

    When memory runs out, the micro-batches are halved and the batch starts over: the gradient is the same, and so is
    the training.

    With several processes, each sees the whole batch and computes its share of every micro-batch; sums are those of all
    processes, so they equal those of one process with the same batch.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        parameters: "TrainingParameters",
        memory: MemoryPlan,
        machine: Machine,
        accelerator: "Accelerator",
    ) -> None:
        self.model = model
        self.machine = machine
        self.micro_tokens = memory.micro_tokens
        self._gradient_checkpointing = memory.gradient_checkpointing
        self._max_grad_norm = parameters.max_grad_norm
        self._accelerator = accelerator
        self.loss = LabelledLoss(model, length_multiple(machine))
        if parameters.neftune_alpha is not None:
            add_embedding_noise(model, parameters.neftune_alpha)
        self.optimizer: torch.optim.Optimizer = adamw(model, parameters, machine)
        self.scaler = torch.amp.GradScaler(machine.device, enabled=machine.dtype == torch.float16)
        self.wrapped: torch.nn.Module = model
        """The model as DDP or FSDP wraps it; FSDP changes ``model`` itself."""
        if distributed.world_size() > 1:
            self.wrapped, self.optimizer = accelerator.prepare(model, self.optimizer)

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def gradients(self, batch: Batch, loss: Loss) -> float:
        """Compute the gradient of ``loss``, summed over the micro-batches of ``batch``.

        Returns that loss, of this process's share times the number of processes.
        """
        self.wrapped.train()
        total = self._with_retries(lambda: self._accumulate(batch, loss), batch)
        if isinstance(self.wrapped, DistributedDataParallel):
            self._backward(nothing(batch), loss)  # exchanges the accumulated gradients
        return total.item()

    def apply(self, rate: float) -> None:
        """Update the model by the gradient, clipped, with this learning rate."""
        self.scaler.unscale_(self.optimizer)
        self._accelerator.clip_grad_norm_(self.wrapped.parameters(), self._max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def without_gradients(self, batch: Batch, loss: Loss) -> float:
        """``loss``, summed over the micro-batches of this process's share of ``batch``."""

        def compute() -> float:
            with torch.no_grad(), self._autocast():
                return sum(loss(self.model, micro_batch).item() for micro_batch in self._own_share(batch))

        self.model.eval()
        return self._with_retries(compute, batch)

    def _accumulate(self, batch: Batch, loss: Loss) -> torch.Tensor:
        """Add up the gradients of all micro-batches; returns the sum of their losses.

        DDP exchanges nothing here: memory may run out in a single process, which then needs more micro-batches.
        """
        alone = isinstance(self.wrapped, DistributedDataParallel)
        context: AbstractContextManager[None] = self._accelerator.no_sync(self.wrapped) if alone else nullcontext()
        total = torch.zeros((), device=batch["labels"].device)
        with context:
            for micro_batch in self._own_share(batch):
                total += self._backward(micro_batch, loss)
        return total

    def _backward(self, micro_batch: Batch, loss: Loss) -> torch.Tensor:
        with self._autocast():
            # DDP and FSDP average gradients over the processes: times their number, that is a sum.
            value = loss(self.wrapped, micro_batch) * distributed.world_size()
        self._accelerator.backward(self.scaler.scale(value))
        return value.detach()

    def _autocast(self) -> torch.autocast:
        dtype = self.machine.dtype
        return torch.autocast(self.machine.device, dtype, enabled=dtype != torch.float32)

    def _own_share(self, batch: Batch) -> Iterator[Batch]:
        """This process's share of each micro-batch: the same number of them in every process."""
        parts = micro_batches(batch, self.micro_tokens, distributed.world_size(), length_multiple(self.machine))
        return (share(part, distributed.rank(), distributed.world_size()) for part in parts)

    def _with_retries(self, compute: Callable[[], T], batch: Batch) -> T:
        """``compute()``, repeated with smaller micro-batches of ``batch`` when memory runs out."""
        while True:
            try:
                return compute()
            except (RuntimeError, MemoryError) as error:
                if not lacks_memory(error):
                    raise
            self.optimizer.zero_grad()
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
