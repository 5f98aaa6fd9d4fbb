"""What a play type is, and what it gets to work with."""

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
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


class PlayType(ABC):
    """One value of ``-t``. Its module must be cheap to import: all of them are imported for --help."""

    summary: ClassVar[str]
    """What it is, for --help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027  # most types have no options
        """Add its own options."""

    def check(self, arguments: argparse.Namespace, fail: Callable[[str], NoReturn]) -> None:  # noqa: B027
        """Call ``fail`` with one line if the options don't fit together; nothing has been read yet."""

    @abstractmethod
    def run(self, play: PlayRun) -> None:
        """Do it, from loading the player, if it needs one, to the end."""
