"""What a training would take, told without doing it: nothing is written."""

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
from selfchatbot.models import Machine, fast_machine, quiet
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.data import Batch, collate, counts, micro_batches, real_lengths
from selfchatbot.trainer.loop import memory_said
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.memory_estimate import GIB, Choice
from selfchatbot.trainer.model_setup import trainable_model
from selfchatbot.trainer.plan import LESS_MEMORY, Preparation, prepare
from selfchatbot.trainer.trackers import check_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

MEASURED = 10.0
"""Seconds of training that are measured, after a first piece that warms up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A training that has not been."""

    steps: int
    tokens: int
    """Real ones, in all epochs."""
    fullness: float
    """Share of real tokens in what is computed."""
    choice: Choice
    seconds: float
    """Without early stopping, and without what is shown and kept on the way."""
    disk: int
    """Bytes that are written at most at the same time."""
    disk_free: int

    def __str__(self) -> str:
        hours, minutes = divmod(math.ceil(self.seconds / 60), 60)
        pieces = f"pieces of {self.choice.micro_tokens} tokens"
        if self.choice.gradient_checkpointing:
            pieces += ", gradient_checkpointing"
        return (
            f"steps    {self.steps}, {self.tokens} tokens, {self.fullness:.1%} of what is computed\n"
            f"memory   {self.choice} ({pieces})\n"
            f"time     about {hours}:{minutes:02d} h, from steps measured just now\n"
            f"disk     up to {self.disk / GIB:.2f} of {self.disk_free / GIB:.0f} GiB"
        )


def dry_run(parameters: TrainingParameters, data: Path, output: Path, machine: Machine | None = None) -> Plan:
    """Prepare a training, measure a few pieces of it in memory, and tell the rest.

    Raises what `Trainer.train` raises before the first step.
    """
    quiet()
    check_trackers(parameters.report_to)
    with memory_said(LESS_MEMORY):
        return _plan(parameters, data, output, machine or fast_machine())


def fullness(lengths: list[int], batches: list[list[int]]) -> float:
    """Share of real tokens in padded batches of windows of these lengths."""
    return sum(lengths) / sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)


def _plan(parameters: TrainingParameters, data: Path, output: Path, machine: Machine) -> Plan:
    prepared = prepare(parameters, data, machine, keep=False)
    batches = list(prepared.train_batches)
    tokens = round(sum(counts(prepared.train)[0]) * parameters.epochs)
    model = trainable_model(prepared.parameters, machine)
    training, validating = _seconds_per_token(model, machine, _pieces(prepared, batches, machine))
    validation_tokens = prepared.validations * sum(counts(prepared.validation)[0])
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    there = next(folder for folder in (output, *output.parents) if folder.exists())
    return Plan(
        steps=prepared.steps,
        tokens=tokens,
        fullness=fullness(counts(prepared.train)[0], batches),
        choice=prepared.choice,
        seconds=(tokens * training + validation_tokens * validating) / distributed.world_size(),
        # best/ and final/ and, of three checkpoints, weights and moments: one of each is written beside the old ones.
        disk=4 * trained * (3 + 3 * 3),
        disk_free=shutil.disk_usage(there).free,
    )


def _pieces(prepared: Preparation, batches: list[list[int]], machine: Machine) -> Iterator[Batch]:
    for indices in batches:
        batch = collate([prepared.train[index] for index in indices])
        for piece in micro_batches(batch, prepared.choice.micro_tokens):
            yield {name: values.to(machine.device) for name, values in piece.items()}


def _seconds_per_token(model: "PreTrainedModel", machine: Machine, pieces: Iterator[Batch]) -> tuple[float, float]:
    """Of training and of validation, which goes forward only."""
    loss = LabelledLoss(model)
    seconds, tokens = 0.0, 0
    for number, piece in enumerate(pieces):
        started = time.perf_counter()
        model.train()
        with torch.autocast(machine.device, machine.dtype, enabled=machine.dtype != torch.float32):
            result = loss(model, piece)
        result.backward()  # type: ignore[no-untyped-call]
        result.item()  # waits for a GPU
        if number == 0:
            first = time.perf_counter() - started, sum(real_lengths(piece))
            continue
        seconds += time.perf_counter() - started
        tokens += sum(real_lengths(piece))
        if seconds > MEASURED:
            break
    if not tokens:  # there is but one piece
        seconds, tokens = first
    model.eval()
    started = time.perf_counter()
    with torch.no_grad(), torch.autocast(machine.device, machine.dtype, enabled=machine.dtype != torch.float32):
        loss(model, piece).item()
    return seconds / tokens, (time.perf_counter() - started) / sum(real_lengths(piece))
