"""What a play type is, and what it gets to work with."""

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

if TYPE_CHECKING:
    from selfchatbot.environment import Dataset
    from selfchatbot.parameters import GenerationParameters
    from selfchatbot.player import Player


@dataclass(frozen=True, slots=True)
class PlayRun:
    """One run of selfChatBot_play."""

    arguments: argparse.Namespace
    dataset: "Dataset"
    checkpoint: Path
    """The folder best/ or final/, which exists."""
    parameters: "GenerationParameters"

    def load_player(self) -> "Player":
        """Load the checkpoint: seconds to minutes. Raises SelfChatBotError."""
        from selfchatbot.models import quiet
        from selfchatbot.player import Player
        from selfchatbot.session.contacts import contact_names

        quiet()
        player = Player(self.checkpoint, self.parameters, engine=self.arguments.engine)
        player.contact_names = contact_names(self.dataset.preprocessed)
        return player


def open_run(arguments: argparse.Namespace) -> PlayRun:
    """The checkpoint that the arguments name.

    Raises UsageError for a wrong name, SelfChatBotError for a checkpoint that isn't there yet.
    """
    from selfchatbot.environment import find_dataset, read_environment
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.files import remove_leftovers
    from selfchatbot.parameters import FILE_NAME, GenerationParameters, read_parameters
    from selfchatbot.runs import chosen_run

    dataset = find_dataset(read_environment(), arguments.dataset, "results")
    dataset = replace(dataset, run=chosen_run(dataset.results, arguments.run))
    checkpoint = dataset.results / arguments.model_type
    if not checkpoint.is_dir():
        raise SelfChatBotError(f"{checkpoint} is not there: run selfChatBot_train -d {dataset.id}")
    parameters = read_parameters(dataset.results / FILE_NAME, GenerationParameters)
    for folder in (dataset.results, *filter(Path.is_dir, dataset.results.iterdir())):
        remove_leftovers(folder)
    return PlayRun(arguments, dataset, checkpoint, parameters)


class PlayType(ABC):
    """One value of ``-t``. Its module must be cheap to import: all of them are imported for --help."""

    summary: ClassVar[str]
    """What it is, for --help."""
    needs_model: ClassVar[bool] = True
    """Whether there must be a dataset with a trained model; else `run_without_model` is called if there is none."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027  # most types have no options
        """Add its own options."""

    def check(self, arguments: argparse.Namespace, fail: Callable[[str], NoReturn]) -> None:  # noqa: B027
        """Call ``fail`` with one line if the options don't fit together; nothing has been read yet."""

    def run_without_model(self, arguments: argparse.Namespace) -> None:
        """Do what can be done without a model."""
        raise NotImplementedError

    @abstractmethod
    def run(self, play: PlayRun) -> None:
        """Do it, from loading the player, if it needs one, to the end."""
