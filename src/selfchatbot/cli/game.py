"""``selfChatBot_play -t game``: which of two replies is really yours?"""

import sys
from itertools import islice
from pathlib import Path

from rich.console import Console

from selfchatbot.cli.session.screen import Screen
from selfchatbot.cli.signals import ended_by_signals
from selfchatbot.environment import Dataset
from selfchatbot.player import Player
from selfchatbot.session.game import FILE_NAME, Game, Round, Side

SIDES: dict[str, Side] = {"a": "a", "b": "b", "1": "a", "2": "b"}


def game(player: Player, dataset: Dataset, checkpoint: Path, rounds: int) -> None:
    """``rounds`` guesses, fewer where the test conversations have no more or the player leaves."""
    screen = Screen()
    play = Game(player, dataset.preprocessed, dataset.results, checkpoint.name, player.parameters.seed)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    screen.say("Which reply was really written, and which one is the model's? a or b; s skips, exit leaves.")
    with ended_by_signals():
        try:
            _play(play, screen, rounds)
        except (EOFError, KeyboardInterrupt):
            screen.say("")
    screen.say(f"This game: {play.score()}.")
    everything = play.score_of_all()
    if everything.guesses > play.score().guesses:
        screen.say(f"All games with {checkpoint.name}/: {everything}.")


def _play(play: Game, screen: Screen, most: int) -> None:
    console = Console(stderr=True)
    rounds = play.rounds()
    saved = True
    while play.score().guesses < most:
        with console.status("looking for a reply"):
            this = next(islice(rounds, 1), None)
        if this is None:
            screen.note("there are no more replies of yours to guess")
            return
        _show(this, screen)
        side = _ask()
        if side == "exit":
            return
        if side == "skip":
            continue
        answer = SIDES[side]
        right = answer == this.real
        try:
            play.guess(this, answer)
        except OSError as error:
            if saved:
                screen.note(f"{FILE_NAME} can't be written ({error.strerror}): this game is not kept")
            saved = False
        score = play.score()
        screen.say(f"{'Right' if right else 'Wrong'}: {this.real} was real. {score.right} of {score.guesses} right.")


def _show(this: Round, screen: Screen) -> None:
    screen.say("")
    for message in this.shown:
        _bubbles("you " if message["role"] == "assistant" else "them", message["content"], screen)
    screen.say("")
    _bubbles("a", this.a, screen)
    _bubbles("b", this.b, screen)


def _bubbles(name: str, text: str, screen: Screen) -> None:
    screen.say("\n".join(f"{name}  {line}" for line in text.split("\n") if line.strip()))


def _ask() -> str:
    """``a``, ``b``, ``skip`` or ``exit``. Raises EOFError and KeyboardInterrupt."""
    while True:
        answer = input("a or b? ").strip().casefold()
        if answer in SIDES:
            return answer
        if answer in ("s", "skip"):
            return "skip"
        if answer in ("exit", "/exit"):
            return "exit"
