"""``selfChatBot_play -t prompt``: replies to one message."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from selfchatbot.cli.play_types.base import PlayRun, PlayType
from selfchatbot.cli.shell import loading_status, say


class PromptPlay(PlayType):
    summary = "replies to one message"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument_group("with -t prompt").add_argument("-p", "--prompt", help="the message")

    def check(self, arguments: argparse.Namespace, fail: Callable[[str], NoReturn]) -> None:
        if not (arguments.prompt or "").strip():
            fail('-t prompt needs -p "what you say"')

    def run(self, play: PlayRun) -> None:
        from selfchatbot.messages import encodable

        with loading_status():
            player = play.load_player()
        messages = [{"role": "user", "content": encodable(play.arguments.prompt)}]
        for number, reply in enumerate(player.replies(messages, play.parameters.num_return_sequences), 1):
            say(f"Response {number}: {reply}")  # in a pipe too: `| tee` and `| head` end at a terminal
