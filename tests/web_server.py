"""A web server in a thread of the test process, with a real player that can be slowed down, and plain requests."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import torch

from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player import Player, ReplyChunk
from selfchatbot.web.address import listen
from selfchatbot.web.model_routes import LoadedModel
from selfchatbot.web.server import Server

if TYPE_CHECKING:
    import openai

HEY = [{"role": "user", "content": "hey, how are you doing?"}]
GREEDY = {"messages": HEY, "model": "Zoë", "temperature": 0}


class SlowPlayer(Player):
    """Sleeps before each chunk, and counts them."""

    seconds = 0.0
    made = 0

    def chunks(self, *arguments: Any, **options: Any) -> Generator[ReplyChunk, None, None]:
        for chunk in super().chunks(*arguments, **options):
            time.sleep(self.seconds)
            self.made += 1
            yield chunk


def tiny_player(model: Path, kind: type[SlowPlayer] = SlowPlayer) -> SlowPlayer:
    parameters = GenerationParameters(model=str(model), max_length=512, max_new_tokens=40, repetition_penalty=1.0)
    return kind(model, parameters, Machine("cpu", torch.float32))


@contextmanager
def serving(player: Player | None, port: int = 0, **options: Any) -> Iterator[str]:
    """The address of a server that ends with the block."""
    listener = listen("127.0.0.1", port)
    model = None
    if player is not None:
        own = {name: options.pop(name) for name in ("contacts", "game", "preferences", "pace") if name in options}
        model = LoadedModel(player, options.pop("name", "Zoë"), **own)
    server = Server(model, options.pop("host", "127.0.0.1"), **options)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def ask(
    address: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One plain request, JSON if it has a body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    kind = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method or ("GET" if body is None else "POST"), path, body, {**kind, **(headers or {})})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


def completion_body(**changes: object) -> bytes:
    return json.dumps({**GREEDY, **changes}).encode()


def begin(address: str, agent: str = "", **changes: object) -> socket.socket:
    """Send a request on a plain connection and read nothing."""
    body = completion_body(**changes)
    connection = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port))
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def openai_client(address: str, token: str = "anything", **headers: str) -> "openai.OpenAI":
    """OpenAI's own client of a server."""
    import openai

    options = {"max_retries": 0, "timeout": 60, "default_headers": headers}
    return openai.OpenAI(base_url=f"{address}/v1", api_key=token, **options)


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def slow_player(model: Path) -> SlowPlayer:
    """A player that needs a second for ten chunks."""
    player = tiny_player(model)
    player.parameters = player.parameters.model_copy(update={"best_of": 2})  # where there is chance
    player.seconds = 0.1
    return player
