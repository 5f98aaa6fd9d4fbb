"""``-t web``: what is checked before the model is loaded, then the page's address."""

import os
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError, UsageError

if TYPE_CHECKING:
    from selfchatbot.player import Player

TOKEN_VARIABLE = "selfChatBot_token"
SHORT_TOKEN = 16


def open_port(host: str, port: int, token: str | None) -> tuple[socket.socket, str | None]:
    """The listening socket and the token. Raises UsageError for what can't be served."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(f"-t web needs more packages: pip install {' '.join(missing)}")
    from selfchatbot.web.address import is_loopback, listen

    token = token or os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not is_loopback(host):
        raise UsageError(f"--host {host} lets other machines in: choose a secret word for them with --token")
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError("--token may have letters, digits and signs of ASCII, and no spaces")
    return listen(host, port), token


def web(
    player: "Player", listener: socket.socket, dataset: Dataset, checkpoint: Path, host: str, token: str | None
) -> None:
    """Serve the page and the API until Ctrl-C or SIGTERM."""
    from selfchatbot.session.contacts import contact_messages
    from selfchatbot.session.game import Game
    from selfchatbot.web.server import Server

    game = None
    with suppress(SelfChatBotError):  # no test conversations: a page without the game
        game = Game(player, dataset.preprocessed, dataset.results, checkpoint.name, player.parameters.seed)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"
    if token is not None and len(token) < SHORT_TOKEN:
        print(f"warning: a token of {len(token)} characters can be guessed: {SHORT_TOKEN} or more are safe")
    print(f"Talk to {dataset.name} at {url}/ (Ctrl-C ends it). For programs: {url}/v1", flush=True)
    Server(player, dataset.name, host, token, contact_messages(dataset.preprocessed), game=game).run([listener])
    print("The server has ended.")
