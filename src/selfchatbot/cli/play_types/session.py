"""``selfChatBot_play -t session``: talk to the model in a terminal."""

import argparse

from selfchatbot.cli.play_types.base import PlayRun, PlayType


class SessionPlay(PlayType):
    summary = "a conversation"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        options = parser.add_argument_group("with -t session")
        options.add_argument("--pace", action="store_true", help="replies take as long as you would need to type them")
        options.add_argument(
            "--no-history", action="store_true", help="save neither what you type nor the conversation"
        )

    def run(self, play: PlayRun) -> None:
        from selfchatbot.cli.session import session
        from selfchatbot.session.typing_pace import learned_pace

        pace = learned_pace(play.dataset) if play.arguments.pace else None
        # It loads the player itself, while the first message is being typed.
        session(play.load_player, play.dataset, play.checkpoint, pace, save=not play.arguments.no_history)
