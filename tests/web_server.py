"""A web server in a thread of the test's process, around a real player that can be slowed down."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player import Player, ReplyChunk
from selfchatbot.web.address import listen
from selfchatbot.web.server import Server


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
def serving(player: Player, port: int = 0, **options: Any) -> Iterator[str]:
    """The address of a server that ends with the block."""
    listener = listen("127.0.0.1", port)
    server = Server(player, "Zoë", options.pop("host", "127.0.0.1"), **options)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
