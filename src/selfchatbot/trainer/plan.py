"""Everything that is known of a training before its model is loaded."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot import distributed
from selfchatbot.chat_format import ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine, load_config, load_tokenizer, window
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.arguments import learning_rate
from selfchatbot.trainer.data import TokenBatches, counts, replies
from selfchatbot.trainer.memory_estimate import Choice, choose
from selfchatbot.trainer.token_cache import tokenized

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

SMALLER = 'lower max_length, or use type_fine_tune "qlora" or a smaller model'
LESS_MEMORY = f"close other programs, {SMALLER}"


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a training is made of, but for the model."""

    parameters: TrainingParameters
    """With what was left open decided."""
    chat_format: ChatFormat
    max_length: int
    """Cut to what the model can take."""
    train: "Dataset"
    validation: "Dataset"
    choice: Choice
    train_batches: TokenBatches
    """Each is one step of all processes together."""
    validation_batches: TokenBatches

    @property
    def steps_per_epoch(self) -> int:
        """Each window once; an epoch that is not ended has fewer."""
        return len(self.train_batches)

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return _steps(self.train_batches, self.parameters)

    @property
    def steps_between_validations(self) -> int:
        """At the end is one as well."""
        return max(1, math.ceil(min(self.steps_per_epoch, self.steps) / self.parameters.evaluations_per_epoch))

    @property
    def validations(self) -> int:
        """That of the base model included."""
        return 1 + math.ceil(self.steps / self.steps_between_validations)


def prepare(parameters: TrainingParameters, data: Path, machine: Machine, keep: bool = True) -> Preparation:
    """Read the conversations as windows, choose how to compute, and say both; ``keep`` is that of `tokenized`.

    Raises SelfChatBotError for data that is not there or holds nothing to train and a model that can't be reached.
    """
    chat_format = ChatFormat(load_tokenizer(parameters.model))
    config = load_config(parameters.model)
    max_length = window(config, parameters.max_length)
    if max_length < parameters.max_length:
        logger.info("max_length %d is more than the model takes: cut to %d", parameters.max_length, max_length)
    train, validation = (_windows(data, name, chat_format, max_length, keep) for name in ("train", "validation"))
    choice = choose(parameters, config, machine, counts(train), max_length)
    if not distributed.sharded():  # then no device has to hold it all
        short = choice.need > choice.available
        logger.info("%s%s", choice, f", so it may end before its time: {LESS_MEMORY}" if short else "")
    step_tokens = parameters.batch_size * max_length * distributed.world_size()
    train_batches = TokenBatches(counts(train)[0], step_tokens, parameters.seed)
    rate = learning_rate(parameters, config, _steps(train_batches, parameters))
    if parameters.learning_rate is None:
        logger.info("learning_rate %.2g, by method, size of the model and number of steps", rate)
    decided = parameters.model_copy(
        update={"gradient_checkpointing": choice.gradient_checkpointing, "learning_rate": rate}
    )
    validation_batches = TokenBatches(counts(validation)[0], step_tokens, None)
    return Preparation(decided, chat_format, max_length, train, validation, choice, train_batches, validation_batches)


def conversations_file(data: Path, name: str) -> Path:
    """``name`` is train or validation. Raises SelfChatBotError when it is not there."""
    path = data / f"{name}.jsonl"
    if not path.is_file():
        raise SelfChatBotError(f"{path} is not there: run selfChatBot_preprocess first")
    return path


def summary(windows: "Dataset") -> str:
    """How much it is, in words."""
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
