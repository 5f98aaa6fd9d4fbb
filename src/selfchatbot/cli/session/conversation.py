"""A conversation at the terminal: you are the other person, the model is you."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console

from selfchatbot.cli.session.commands import Commands
from selfchatbot.cli.session.loading import Loading
from selfchatbot.cli.session.screen import Asker, Screen
from selfchatbot.cli.shell import LOADING
from selfchatbot.cli.signals import ended_by_signals
from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.player import Player
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.typing_pace import Pace

EXIT = ("exit", "/exit")


def session(
    load: Callable[[], Player], dataset: Dataset, checkpoint: Path, pace: Pace | None = None, keep: bool = True
) -> None:
    """A conversation until ``exit``, Ctrl-D, or Ctrl-C at the prompt; Ctrl-C during a reply stops that reply.

    At a terminal, the first message can be typed while ``load`` loads the model. ``pace`` makes the reply wait as I
    would type it. ``keep`` False: nothing is written but what a command asks for.
    """
    conversation = _Session(load, dataset, checkpoint, pace, keep)
    with ended_by_signals(conversation.leave):
        conversation.run()


class _Session:
    def __init__(
        self, load: Callable[[], Player], dataset: Dataset, checkpoint: Path, pace: Pace | None, keep: bool
    ) -> None:
        self._screen = Screen(pace)
        self._asker = Asker(dataset, keep)
        self.leave = self._asker.leave
        self._player = _loading(load, self._asker)
        self._dialogue = Dialogue(self._player, self._rated)
        self._commands = Commands(self._dialogue, self._screen, self._asker, dataset, keep)
        self._asker.commands = self._commands
        self._preferences = dataset.results
        self._checkpoint = checkpoint
        self._loaded = _identity(checkpoint)

    def run(self) -> None:
        self._screen.say(f'Say something; "{EXIT[0]}" ends the conversation, /help shows what else there is.')
        while (text := self._next()) is not None:
            if text in EXIT:
                return
            self._player()
            try:
                self._turn(text)
            except SelfChatBotError as error:
                self._screen.say(str(error))
            finally:
                self._commands.keep()

    def _next(self) -> str | None:
        """What is typed next, None at the end. Ctrl-C throws away what is typed; with nothing typed, it ends."""
        try:
            return self._asker.ask().strip()
        except EOFError:
            self._screen.say("")
            return None
        except KeyboardInterrupt:
            if self._asker.typed:
                return ""
            self._screen.say("")
            return None

    def _turn(self, text: str) -> None:
        if self._commands.is_command(text):
            if self._commands.run(text):
                self._answer()
        elif text:
            # Two slashes say one, so that a message may begin with it.
            self._dialogue.say(text[1:] if text.startswith("//") else text)
            self._answer()

    def _answer(self) -> None:
        self._tell_of_new_checkpoint()
        with closing(self._dialogue.answer()) as messages:
            self._screen.show_reply(messages, self._dialogue.showing)

    def _rated(self, prompt: list[dict[str, str]], better: str, worse: list[str]) -> None:
        from selfchatbot.session.preferences import FILE_NAME, add_preferences

        path = self._preferences / FILE_NAME
        try:
            count = add_preferences(path, prompt, better, worse)
        except OSError as error:
            raise SelfChatBotError(f"{path} can't be written ({error.strerror}): the rating is lost") from error
        self._screen.note(f"{count} preference{'' if count == 1 else 's'} kept in {path}" if count else "")

    def _tell_of_new_checkpoint(self) -> None:
        now = _identity(self._checkpoint)
        if now != self._loaded:
            self._loaded = now
            where = self._checkpoint.name
            self._screen.note(f"{where}/ has changed: this is still the old one; leave and start again for the new one")


def _loading(load: Callable[[], Player], asker: Asker) -> Callable[[], Player]:
    """The model at once, or, where somebody types, when it is there."""
    if asker.edits:
        return Loading(load, asker.leave)
    with Console(stderr=True).status(LOADING):
        player = load()
    return lambda: player


def _identity(folder: Path) -> tuple[int, int] | None:
    """Changes when another folder takes the place of ``folder``; None while there is none."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_ctime_ns


__all__ = ["session"]
