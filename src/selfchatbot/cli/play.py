"""``selfChatBot_play``: talk to the model, or get answers to one prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from selfchatbot.cli.shell import parser, run

if TYPE_CHECKING:
    import argparse


def main() -> None:
    """The console script."""
    arguments = parser("selfChatBot_play", "Talk to your model.")
    arguments.add_argument(
        "-t", "--type", choices=("session", "prompt"), default="session", help="a conversation (default), or one prompt"
    )
    arguments.add_argument("-p", "--prompt", help="what is said to the model, with -t prompt")
    arguments.add_argument(
        "-mt", "--model-type", choices=("best", "final"), default="best", help="which checkpoint (default: best)"
    )
    chosen = arguments.parse_args()
    if chosen.type == "prompt" and not (chosen.prompt or "").strip():
        arguments.error('-t prompt needs -p "what you say"')
    sys.exit(run(lambda: _stage(chosen)))


def _stage(chosen: argparse.Namespace) -> None:
    from rich.console import Console

    from selfchatbot.environment import find_dataset, read_environment
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.parameters import FILE_NAME, GenerationParameters, read_parameters

    dataset = find_dataset(read_environment(), chosen.dataset, "results")
    checkpoint = dataset.results / chosen.model_type
    if not checkpoint.is_dir():
        raise SelfChatBotError(f"{checkpoint} is not there: run selfChatBot_train -d {dataset.id}")
    parameters = read_parameters(dataset.results / FILE_NAME, GenerationParameters)
    with Console(stderr=True).status("loading the model"):
        from selfchatbot.models import quiet

        quiet()
        from selfchatbot.player import Player

        player = Player(checkpoint, parameters)
    if chosen.type == "prompt":
        messages = [{"role": "user", "content": chosen.prompt}]
        for number, reply in enumerate(player.replies(messages, parameters.num_return_sequences), 1):
            print(f"Response {number}: {reply}")
    else:
        from selfchatbot.cli.session import session

        session(player)


if __name__ == "__main__":
    main()
