"""The model is loaded while the first message is typed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from rich.console import Console

from selfchatbot.cli.shell import LOADING
from selfchatbot.concurrency import ABANDONED
from selfchatbot.player import Player


class Loading:
    """A model on its way, in a thread of its own. Call it for the model.

    ``failed`` is told at once what went wrong, from that thread.
    """

    def __init__(self, load: Callable[[], Player], failed: Callable[[BaseException], object]) -> None:
        self._player: Future[Player] = Future()

        def work() -> None:
            try:
                self._player.set_result(load())
            except BaseException as error:
                self._player.set_exception(error)
                failed(error)

        threading.Thread(target=work, name=ABANDONED, daemon=True).start()

    def __call__(self) -> Player:
        """Waits for the model. Raises what the loading raised."""
        if not self._player.done():
            with Console(stderr=True).status(LOADING):
                return self._player.result()
        return self._player.result()
