"""An estimate of what a training takes, from a few measured steps: nothing is written."""

import logging
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from selfchatbot import distributed
from selfchatbot.environment import PREFERENCES_FILE
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.data import Batch, collate, counts, micro_batches, real_lengths
from selfchatbot.trainer.loss import LabelledLoss, length_multiple
from selfchatbot.trainer.memory_estimate import GIB, MemoryPlan
from selfchatbot.trainer.model_setup import trainable_model
from selfchatbot.trainer.out_of_memory import LESS_MEMORY, out_of_memory_advice
from selfchatbot.trainer.plan import TrainingPlan, plan_training
from selfchatbot.trainer.trackers import check_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

MEASURED_SECONDS = 10.0
"""How long training is measured, after a first micro-batch that warms up."""


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """What a training would take."""

    steps: int
    tokens: int
    """Without padding, in all epochs."""
    rounds: tuple[int, ...]
    """The steps of each preference round."""
    round_seconds: float
    """How much of ``seconds`` the rounds take."""
    fullness: float
    """The fraction of computed tokens that is not padding."""
    memory: MemoryPlan
    seconds: float
    """Without early stopping, samples and saving."""
    disk: int
    """Most bytes of files at any time."""
    disk_free: int

    def __str__(self) -> str:
        padding = f", and {wasted:.0%} more for padding" if (wasted := 1 / self.fullness - 1) >= 0.01 else ""
        rounds = ""
        if self.rounds:
            steps, took = " and ".join(map(str, self.rounds)), duration(self.round_seconds)
            rounds = f"then     {steps} steps in preference rounds, about {took} of the time\n"
        how = f"micro-batches of {self.memory.micro_tokens} tokens"
        if self.memory.gradient_checkpointing:
            how += ", gradient_checkpointing"
        return (
            f"steps    {self.steps:,}, {self.tokens:,} tokens{padding}\n"
            f"{rounds}"
            f"memory   {self.memory} ({how})\n"
            f"time     about {duration(self.seconds)}, from steps measured just now\n"
            f"disk     up to {self.disk / GIB:.2f} of {self.disk_free / GIB:.0f} GiB"
        )


def duration(seconds: float) -> str:
    """``9 minutes``, ``2 hours 5 minutes``: rounded up to minutes."""
    hours, minutes = divmod(max(1, math.ceil(seconds / 60)), 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    return " ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count)


def dry_run(
    parameters: TrainingParameters, data: Path, output: Path, machine: Machine | None = None
) -> TrainingEstimate:
    """Prepare a training and measure a few of its micro-batches in memory.

    Raises what `Trainer.train` raises before the first step.
    """
    quiet()
    check_trackers(parameters.report_to)
    with out_of_memory_advice(LESS_MEMORY):
        return _estimate(parameters, data, output, machine or fast_machine())


def fullness(lengths: list[int], batches: list[list[int]]) -> float:
    """The fraction of tokens that is not padding, in ``batches`` of numbers of windows of these ``lengths``."""
    return sum(lengths) / sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)


def _estimate(parameters: TrainingParameters, data: Path, output: Path, machine: Machine) -> TrainingEstimate:
    plan = plan_training(parameters, data, machine, keep=False, ratings=output / PREFERENCES_FILE)
    batches = list(plan.train_batches)
    tokens = round(sum(counts(plan.train)[0]) * parameters.epochs)
    model = trainable_model(plan.parameters, machine)
    training, validating = _seconds_per_token(model, machine, _micro_batches(plan, batches, machine))
    validation_tokens = (plan.validations + len(plan.preferences.rounds)) * sum(counts(plan.validation)[0])
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    existing = next(folder for folder in (output, *output.parents) if folder.exists())
    processes = distributed.world_size()
    round_seconds = plan.preferences.cost * training / processes
    return TrainingEstimate(
        steps=plan.steps,
        tokens=tokens,
        fullness=fullness(counts(plan.train)[0], batches),
        memory=plan.memory,
        rounds=tuple(plan.preferences.steps),
        round_seconds=round_seconds,
        seconds=(tokens * training + validation_tokens * validating) / processes + round_seconds,
        # Weights of best/, final/ and a third one that is being written; weights and moments of three checkpoints; and
        # the weights from which rounds start.
        disk=4 * trained * (3 + 3 * 3 + bool(plan.preferences.rounds)),
        disk_free=shutil.disk_usage(existing).free,
    )


def _micro_batches(plan: TrainingPlan, batches: list[list[int]], machine: Machine) -> Iterator[Batch]:
    for indices in batches:
        batch = collate([plan.train[index] for index in indices], plan.max_length)
        for micro_batch in micro_batches(batch, plan.memory.micro_tokens, multiple=length_multiple(machine)):
            yield {name: values.to(machine.device) for name, values in micro_batch.items()}


def _seconds_per_token(model: "PreTrainedModel", machine: Machine, parts: Iterator[Batch]) -> tuple[float, float]:
    """In training and in validation, which is a forward pass only."""
    loss = LabelledLoss(model, length_multiple(machine))
    seconds, tokens = 0.0, 0
    for number, part in enumerate(parts):
        started = time.perf_counter()
        model.train()
        with torch.autocast(machine.device, machine.dtype, enabled=machine.dtype != torch.float32):
            result = loss(model, part)
        result.backward()  # type: ignore[no-untyped-call]
        result.item()  # waits for a GPU
        if number == 0:
            first = time.perf_counter() - started, sum(real_lengths(part))
            continue
        seconds += time.perf_counter() - started
        tokens += sum(real_lengths(part))
        if seconds > MEASURED_SECONDS:
            break
    if not tokens:  # there is only one
        seconds, tokens = first
    model.eval()
    started = time.perf_counter()
    with torch.no_grad(), torch.autocast(machine.device, machine.dtype, enabled=machine.dtype != torch.float32):
        loss(model, part).item()
    return seconds / tokens, (time.perf_counter() - started) / sum(real_lengths(part))
