"""What is known about a training before its model is loaded."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot import distributed
from selfchatbot.chat_format import ChatFormat
from selfchatbot.environment import conversations_file
from selfchatbot.errors import SelfChatBotError
from selfchatbot.model_families import skeleton
from selfchatbot.models import Machine, load_config, load_tokenizer, window
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.data import TokenBatches, counts, replies
from selfchatbot.trainer.memory_estimate import MemoryPlan, plan_memory
from selfchatbot.trainer.out_of_memory import LESS_MEMORY
from selfchatbot.trainer.schedule import peak_rate
from selfchatbot.trainer.token_cache import tokenized
from selfchatbot.trainer.token_weights import weighted

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

MAX_LOGS = 500
"""A run logs at most about twice this many times."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Everything that makes up a training, except the model."""

    parameters: TrainingParameters
    """With defaults in place of what was left open."""
    chat_format: ChatFormat
    max_length: int
    """Cut to what the model can take."""
    train: "Dataset"
    validation: "Dataset"
    memory: MemoryPlan
    peak_rate: float
    train_batches: TokenBatches
    """One batch is one step of all processes together."""
    validation_batches: TokenBatches

    @property
    def steps_per_epoch(self) -> int:
        """In a whole epoch, in which each window is trained once."""
        return len(self.train_batches)

    @property
    def steps(self) -> int:
        """In all epochs."""
        return _steps(self.train_batches, self.parameters)

    @property
    def steps_between_validations(self) -> int:
        """There is another validation after the last step."""
        return max(1, math.ceil(min(self.steps_per_epoch, self.steps) / self.parameters.evaluations_per_epoch))

    @property
    def steps_between_logs(self) -> int:
        """Long runs don't log every step."""
        return max(1, self.steps // MAX_LOGS)

    @property
    def validations(self) -> int:
        """Including that of the base model."""
        return 1 + math.ceil(self.steps / self.steps_between_validations)


def plan_training(parameters: TrainingParameters, data: Path, machine: Machine, keep: bool = True) -> TrainingPlan:
    """Read the conversations as windows and decide how to compute; both are logged.

    ``keep`` False writes no token cache. Raises SelfChatBotError for data that is missing or has nothing to train, and
    for a model that can't be reached or is of a family that can't be trained.
    """
    chat_format = ChatFormat(load_tokenizer(parameters.model))
    config = load_config(parameters.model)
    skeleton(config)  # a family that can't be trained is refused before anything is read
    max_length = window(config, parameters.max_length)
    if max_length < parameters.max_length:
        logger.info("max_length %d is more than the model takes: cut to %d", parameters.max_length, max_length)
    train, validation = (_windows(data, name, chat_format, max_length, keep) for name in ("train", "validation"))
    memory = plan_memory(parameters, config, machine, counts(train), max_length)
    if not distributed.sharded():  # then no single device has to hold it all
        logger.info("%s%s", memory, f", so it may run out of memory: {LESS_MEMORY}" if memory.is_short else "")
    step_tokens = parameters.batch_size * max_length * distributed.world_size()
    train_batches = TokenBatches(counts(train)[0], step_tokens, parameters.seed)
    rate = peak_rate(parameters, config, _steps(train_batches, parameters))
    if parameters.learning_rate is None:
        logger.info("learning_rate %.2g, chosen for the method, the size of the model and the number of steps", rate)
    decided = parameters.model_copy(
        update={"gradient_checkpointing": memory.gradient_checkpointing, "learning_rate": rate}
    )
    return TrainingPlan(
        parameters=decided,
        chat_format=chat_format,
        max_length=max_length,
        train=weighted(train, parameters, conversations_file(data, "train")),
        validation=validation,
        memory=memory,
        peak_rate=rate,
        train_batches=train_batches,
        validation_batches=TokenBatches(counts(validation)[0], step_tokens, None),
    )


def summary(windows: "Dataset") -> str:
    """The amount of data, in words."""
    tokens, trained = map(sum, counts(windows))
    conversations = len(set(windows["conversation"]))
    return (
        f"{conversations} conversations with {replies(windows)} replies in {len(windows)} windows, {tokens} tokens, "
        f"{trained} of them trained"
    )


def _steps(train_batches: TokenBatches, parameters: TrainingParameters) -> int:
    return math.ceil(len(train_batches) * parameters.epochs)


def _windows(data: Path, name: str, chat_format: ChatFormat, max_length: int, keep: bool) -> "Dataset":
    path = conversations_file(data, name)
    windows = tokenized(path, chat_format, max_length, keep and distributed.is_main())
    if not any(counts(windows)[1]):
        raise SelfChatBotError(f"{path}: no reply of yours in it: run selfChatBot_preprocess again")
    logger.info("%s: %s", name, summary(windows))
    return windows
