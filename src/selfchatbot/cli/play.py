"""``selfChatBot_play``: talk to the model, or get answers to one prompt."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from selfchatbot.cli.shell import LOADING, leave, parser, run

if TYPE_CHECKING:
    from pathlib import Path

    from selfchatbot.environment import Dataset
    from selfchatbot.parameters import GenerationParameters
    from selfchatbot.player import Player


def main() -> None:
    """The console script."""
    arguments = parser("selfChatBot_play", "Talk to your model.")
    arguments.add_argument(
        "-t",
        "--type",
        choices=("session", "prompt", "game", "web", "export", "evaluate"),
        default="session",
        help="a conversation (default), one prompt, a guessing game, a page in the browser, a folder to take along, or "
        "a measured answer to how much it is like you",
    )
    arguments.add_argument("-p", "--prompt", help="what is said to the model, with -t prompt")
    arguments.add_argument(
        "-mt", "--model-type", choices=("best", "final"), default="best", help="which checkpoint (default: best)"
    )
    arguments.add_argument(
        "--engine",
        choices=("auto", "transformers", "llama.cpp"),
        default="auto",
        help="what computes (default: auto, which is llama.cpp where the extra `fast` is installed)",
    )
    talk = arguments.add_argument_group("with -t session")
    talk.add_argument("--pace", action="store_true", help="replies take as long as you would need to type them")
    talk.add_argument(
        "--no-history", action="store_true", help="keep neither what is typed nor the conversation on the disk"
    )
    guess = arguments.add_argument_group("with -t game")
    guess.add_argument("--rounds", type=int, default=20, metavar="N", help="how many guesses (default: 20)")
    page = arguments.add_argument_group("with -t web")
    page.add_argument("--port", type=int, default=8642, metavar="N", help="default: 8642; 0: any free one")
    page.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, which only this machine can reach")
    page.add_argument("--token", help="a secret that clients must know; needed with any other --host")
    carry = arguments.add_argument_group("with -t export")
    carry.add_argument(
        "--quantize", choices=("f16", "q8_0"), default="q8_0", help="number format of the GGUF file (default: q8_0)"
    )
    measure = arguments.add_argument_group("with -t evaluate")
    measure.add_argument(
        "--contexts", type=int, default=200, metavar="N", help="how many test messages are answered (default: 200)"
    )
    measure.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same figures (default: 0)")
    measure.add_argument(
        "--examples",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the page shows some replies beside yours",
    )
    measure.add_argument("--probe", metavar="FILE", help="names or phrases, one a line: does the model know them?")
    measure.add_argument(
        "--canaries", action="store_true", help="train once more with made-up secrets: do they come out?"
    )
    chosen = arguments.parse_args()
    if chosen.type == "prompt" and not (chosen.prompt or "").strip():
        arguments.error('-t prompt needs -p "what you say"')
    if chosen.rounds < 1:
        arguments.error("--rounds: at least 1")
    if chosen.contexts < 20:
        arguments.error("--contexts: at least 20")
    if not 0 <= chosen.seed < 2**32:
        arguments.error("--seed: 0 to 4294967295")
    leave(run(lambda: _stage(chosen)))


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
    if chosen.type == "export":
        _export(chosen, dataset, checkpoint, parameters)
        return
    if chosen.type == "evaluate":
        from selfchatbot.cli.evaluate import evaluate_dataset

        _show_log()
        evaluate_dataset(chosen, dataset, checkpoint, parameters)
        return
    if chosen.type == "web":
        from selfchatbot.cli.web import open_port, web

        listener, token = open_port(chosen.host, chosen.port, chosen.token)
    _show_log()

    def load() -> Player:
        from selfchatbot.models import quiet
        from selfchatbot.player import Player
        from selfchatbot.session.contacts import speakers

        quiet()
        player = Player(checkpoint, parameters, engine=chosen.engine)
        player.speakers = speakers(dataset.preprocessed)
        return player

    if chosen.type == "session":
        from selfchatbot.cli.session import session
        from selfchatbot.session.typing_pace import learned_pace

        pace = learned_pace(dataset) if chosen.pace else None
        session(load, dataset, checkpoint, pace, keep=not chosen.no_history)
        return
    with Console(stderr=True).status(LOADING):
        player = load()
    if chosen.type == "prompt":
        said = chosen.prompt.encode(errors="replace").decode()  # a terminal may give bytes that are no text
        messages = [{"role": "user", "content": said}]
        for number, reply in enumerate(player.replies(messages, parameters.num_return_sequences), 1):
            print(f"Response {number}: {reply}")
    elif chosen.type == "web":
        web(player, listener, dataset, checkpoint, chosen.host, token)
    else:
        from selfchatbot.cli.game import game

        game(player, dataset, checkpoint, chosen.rounds)


def _export(chosen: argparse.Namespace, dataset: Dataset, checkpoint: Path, parameters: GenerationParameters) -> None:
    from rich.console import Console

    with Console(stderr=True).status("loading and writing the model"):
        from selfchatbot.models import quiet

        _show_log()
        quiet()
        from selfchatbot.cli.export import export_dataset

        folder = export_dataset(dataset, checkpoint, parameters, chosen.quantize)
    print(f"{folder} is ready: README.md in it says how to use it, and whom to ask before you share it")


def _show_log() -> None:
    """What takes long the first time is said on stderr, wherever that is then: above the prompt, in a session."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(record.getMessage(), file=sys.stderr)

    logger = logging.getLogger("selfchatbot")
    logger.addHandler(Lines())
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    main()
