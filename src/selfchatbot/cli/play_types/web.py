"""``selfChatBot_play -t web``: a chat page in the browser and an API for programs."""

import argparse
import os
import re
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types.base import PlayRun, PlayType, open_run
from selfchatbot.cli.shell import loading_status, say
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.web.address import DEFAULT_HOST, DEFAULT_PORT, is_loopback

if TYPE_CHECKING:
    from selfchatbot.environment import Dataset
    from selfchatbot.web.model_routes import LoadedModel

TOKEN_VARIABLE = "selfChatBot_token"
SAFE_TOKEN_LENGTH = 16


class WebPlay(PlayType):
    summary = "a page in the browser"
    needs_model = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        options = parser.add_argument_group("with -t web")
        options.add_argument(
            "--port", type=int, default=DEFAULT_PORT, metavar="N", help="default: %(default)s; 0: any free one"
        )
        options.add_argument(
            "--host", default=DEFAULT_HOST, help="default: %(default)s, which only this machine can reach"
        )
        options.add_argument("--token", help="a secret that clients must send; required with any other --host")
        options.add_argument(
            "--allow-host",
            type=host_name,
            action="append",
            default=[],
            metavar="NAME",
            help="another name that clients reach this server by, such as host.docker.internal; can be repeated",
        )

    def run(self, play: PlayRun) -> None:
        arguments = play.arguments
        listener, token = open_port(arguments.host, arguments.port, arguments.token)
        with loading_status():
            model = _loaded(play)
        _serve(arguments, listener, token, play.dataset, model)

    def run_without_model(self, arguments: argparse.Namespace) -> None:
        listener, token = open_port(arguments.host, arguments.port, arguments.token)
        _serve(arguments, listener, token)


def host_name(text: str) -> str:
    """The ``type`` of an option that takes the name of a machine."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        raise argparse.ArgumentTypeError(f"{text} is no name of a machine: give it without http:// and port")
    return text


def open_port(host: str, port: int, token: str | None) -> tuple[socket.socket, str | None]:
    """The listening socket and the token. Raises UsageError for what can't be served, before the model is loaded."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(f"-t web needs more packages: pip install {' '.join(missing)}")
    from selfchatbot.web.address import listen

    token = token or os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not is_loopback(host):
        raise UsageError(f"--host {host} lets other machines in: choose a secret for them with --token")
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError("--token may contain ASCII letters, digits and punctuation, and no spaces")
    return listen(host, port), token


def _loaded(play: PlayRun) -> "LoadedModel":
    """Load the model: seconds to minutes. Raises SelfChatBotError."""
    from selfchatbot.environment import PREFERENCES_FILE
    from selfchatbot.session.contacts import contact_messages
    from selfchatbot.session.game import Game
    from selfchatbot.session.typing_pace import learned_pace
    from selfchatbot.web.model_routes import LoadedModel

    player, dataset, game = play.load_player(), play.dataset, None
    with suppress(SelfChatBotError):  # without test conversations, the page has no game
        game = Game(player, dataset.preprocessed, dataset.results, play.checkpoint.name, player.parameters.seed)
    return LoadedModel(
        player,
        dataset.name,
        contact_messages(dataset.preprocessed),
        game,
        preferences=dataset.results / PREFERENCES_FILE,
        pace=learned_pace(dataset),
    )


def _serve(
    arguments: argparse.Namespace,
    listener: socket.socket,
    token: str | None,
    dataset: "Dataset | None" = None,
    model: "LoadedModel | None" = None,
) -> None:
    """Serve the pages and the API until Ctrl-C or SIGTERM."""
    from selfchatbot.web.server import Server
    from selfchatbot.web.setup_routes import Setup

    def load(dataset_id: str, run: str | None) -> "LoadedModel":
        return _loaded(open_run(argparse.Namespace(**{**vars(arguments), "dataset": dataset_id, "run": run})))

    host = arguments.host
    # Whoever may talk to a model may not read the chats that it was made from: others who can reach it only talk.
    talk_only = dataset is not None and not (is_loopback(host) and not arguments.allow_host)
    setup = None if talk_only else Setup(load, dataset.id if dataset else None, dataset.run if dataset else None)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"
    if token is not None and len(token) < SAFE_TOKEN_LENGTH:
        say(f"warning: a token of {len(token)} characters can be guessed: {SAFE_TOKEN_LENGTH} or more are safe")
    if dataset is not None:
        say(f"Talk to {dataset.name} at {url}/ (Ctrl-C ends it). For programs: {url}/v1")
    else:
        of = f"#{arguments.dataset}" if arguments.dataset else ""
        say(f"Make a model that talks like you at {url}/setup.html{of} (Ctrl-C ends it)")
    Server(model, host, token, allowed_hosts=arguments.allow_host, setup=setup).run([listener])
    say("The server has stopped.")
