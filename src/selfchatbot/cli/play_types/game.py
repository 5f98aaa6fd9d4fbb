"""``selfChatBot_play -t game``: which of two replies is really yours?"""

import argparse
from itertools import islice
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types.base import PlayRun, PlayType
from selfchatbot.cli.shell import integer, loading_status

if TYPE_CHECKING:
    from selfchatbot.cli.session.screen import Screen
    from selfchatbot.session.game import Game, Round, Side

SIDES: "dict[str, Side]" = {"a": "a", "b": "b", "1": "a", "2": "b"}


class GamePlay(PlayType):
    summary = "a guessing game"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument_group("with -t game").add_argument(
            "--rounds", type=integer(1), default=20, metavar="N", help="number of guesses (default: %(default)s)"
        )

    def run(self, play: PlayRun) -> None:
        from selfchatbot.cli.session.keyboard import tolerant_stdin
        from selfchatbot.cli.session.screen import Screen
        from selfchatbot.cli.signals import exit_on_signals
        from selfchatbot.session.game import Game

        with loading_status():
            player = play.load_player()
        screen = Screen()
        dataset, checkpoint = play.dataset, play.checkpoint.name
        game = Game(player, dataset.preprocessed, dataset.results, checkpoint, player.parameters.seed)
        tolerant_stdin()
        screen.say("Which reply did a person write, and which one the model? a or b; s skips, exit leaves.")
        with exit_on_signals():
            try:
                _guess(game, screen, play.arguments.rounds)
            except (EOFError, KeyboardInterrupt):
                screen.say("")
        screen.say(f"This game: {game.score()}.")
        total = game.total_score()
        if total.guesses > game.score().guesses:
            screen.say(f"All games with {checkpoint}/: {total}.")


def _guess(game: "Game", screen: "Screen", guesses: int) -> None:
    """Rounds until there are ``guesses``, fewer if the test conversations have no more or the player leaves."""
    from selfchatbot.cli.console import Console
    from selfchatbot.session.game import GAME_FILE

    console = Console(stderr=True)
    rounds = game.rounds()
    saved = True
    while game.score().guesses < guesses:
        with console.status("looking for a reply"):
            current = next(islice(rounds, 1), None)
        if current is None:
            screen.note("there are no more replies of yours to guess")
            return
        _show(current, screen)
        answer = _ask()
        if answer == "exit":
            return
        if answer == "skip":
            continue
        side = SIDES[answer]
        try:
            game.guess(current, side)
        except OSError as error:
            if saved:
                screen.note(f"{GAME_FILE} can't be written ({error.strerror}): this game is not saved")
            saved = False
        screen.say(f"{game.verdict(current, side)} {game.score().count}.")


def _show(current: "Round", screen: "Screen") -> None:
    screen.say("")
    for message in current.shown:
        _say_as("you " if message["role"] == "assistant" else "them", message["content"], screen)
    screen.say("")
    _say_as("A", current.a, screen)
    _say_as("B", current.b, screen)


def _say_as(name: str, text: str, screen: "Screen") -> None:
    screen.say("\n".join(f"{name}  {line}" for line in text.split("\n") if line.strip()))


def _ask() -> str:
    """A key of ``SIDES``, ``skip`` or ``exit``. Raises EOFError and KeyboardInterrupt."""
    while True:
        answer = input("a or b? ").strip().casefold()
        if answer in SIDES:
            return answer
        if answer in ("s", "skip"):
            return "skip"
        if answer in ("exit", "/exit"):
            return "exit"
