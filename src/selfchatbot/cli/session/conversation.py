"""A conversation at the terminal: you are the other person, the model is you."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from selfchatbot.cli.session.commands import Commands
from selfchatbot.cli.session.keyboard import Keyboard
from selfchatbot.cli.session.loading import BackgroundPlayer
from selfchatbot.cli.session.screen import Screen
from selfchatbot.cli.shell import loading_status
from selfchatbot.cli.signals import exit_on_signals
from selfchatbot.environment import PREFERENCES_FILE, Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.player import Player
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.preferences import add_preferences
from selfchatbot.session.typing_pace import Pace

EXIT = ("exit", "/exit")


def session(
    load: Callable[[], Player], dataset: Dataset, checkpoint: Path, pace: Pace | None = None, save: bool = True
) -> None:
    """A conversation until ``exit``, Ctrl-D, or two Ctrl-C at the prompt; Ctrl-C during a reply stops that reply.

    At a terminal, the first message can be typed while ``load`` loads the model. With a ``pace``, replies take as long
    as I would need to type them. Without ``save``, nothing is written except by command.
    """
    conversation = _Session(load, dataset, checkpoint, pace, save)
    with exit_on_signals(conversation.leave):
        conversation.run()


class _Session:
    def __init__(
        self, load: Callable[[], Player], dataset: Dataset, checkpoint: Path, pace: Pace | None, save: bool
    ) -> None:
        self._screen = Screen(pace)
        self._keyboard = Keyboard(dataset, history=save)
        self.leave = self._keyboard.leave
        self._player = _start_loading(load, self._keyboard)
        self._dialogue = Dialogue(self._player, self._save_preference)
        self._commands = Commands(self._dialogue, self._screen, self._keyboard, dataset, save)
        self._keyboard.commands = self._commands
        self._preferences = dataset.results / PREFERENCES_FILE
        self._checkpoint = checkpoint
        self._loaded = _identity(checkpoint)
        self._leaving = False
        """Whether the last key was Ctrl-C, on an empty line."""

    def run(self) -> None:
        self._screen.say(f'Say something. "{EXIT[0]}" ends the conversation, /help lists the commands.')
        while (text := self._next()) is not None:
            if text in EXIT:
                return
            self._player()
            try:
                self._turn(text)
            except SelfChatBotError as error:
                self._screen.say(str(error))
            finally:
                self._commands.save()

    def _next(self) -> str | None:
        """The next message, None at the end. Ctrl-C discards the line; twice on an empty line it ends the session.

        One Ctrl-C may have been meant for a reply that had just ended.
        """
        try:
            text = self._keyboard.read().strip()
        except EOFError:
            self._screen.say("")
            return None
        except KeyboardInterrupt:
            if self._keyboard.typed:
                self._leaving = False
                return ""
            if self._leaving:
                self._screen.say("")
                return None
            self._leaving = True
            self._screen.note("Ctrl-C again to leave")
            return ""
        self._leaving = False
        return text

    def _turn(self, text: str) -> None:
        if self._commands.is_command(text):
            if self._commands.run(text):
                self._answer()
        elif text:
            # Two slashes stand for one, so that a message can begin with a slash.
            self._dialogue.say(text[1:] if text.startswith("//") else text)
            self._answer()

    def _answer(self) -> None:
        self._warn_of_new_checkpoint()
        with closing(self._dialogue.answer()) as messages:
            self._screen.show_reply(messages, self._dialogue.mark_shown)

    def _save_preference(self, prompt: list[dict[str, str]], better: str, worse: list[str]) -> None:
        path = self._preferences
        try:
            count = add_preferences(path, prompt, better, worse)
        except OSError as error:
            raise SelfChatBotError(f"{path} can't be written ({error.strerror}): the rating is lost") from error
        if count:
            self._screen.note(f"{count} preference{'' if count == 1 else 's'} saved in {path}")

    def _warn_of_new_checkpoint(self) -> None:
        now = _identity(self._checkpoint)
        if now != self._loaded:
            self._loaded = now
            name = self._checkpoint.name
            self._screen.note(f"{name}/ has changed, but this is still the old model: leave and start again to use it")


def _start_loading(load: Callable[[], Player], keyboard: Keyboard) -> Callable[[], Player]:
    """Load the model: in the background at a terminal, otherwise now."""
    if keyboard.can_edit:
        return BackgroundPlayer(load, keyboard.leave)
    with loading_status():
        player = load()
    return lambda: player


def _identity(folder: Path) -> tuple[int, int] | None:
    """Changes when another folder takes the place of ``folder``; None if there is none."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_ctime_ns


__all__ = ["session"]
