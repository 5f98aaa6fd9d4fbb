"""Loads the model in the background while the first message is being typed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from selfchatbot.cli.shell import loading_status
from selfchatbot.concurrency import ABANDONED
from selfchatbot.player import Player


class BackgroundPlayer:
    """A player that a thread is loading. Call it to get the player.

    ``on_failure`` receives the exception at once if loading fails, in that thread.
    """

    def __init__(self, load: Callable[[], Player], on_failure: Callable[[BaseException], object]) -> None:
        self._player: Future[Player] = Future()

        def work() -> None:
            try:
                self._player.set_result(load())
            except BaseException as error:
                self._player.set_exception(error)
                on_failure(error)

        threading.Thread(target=work, name=ABANDONED, daemon=True).start()

    def __call__(self) -> Player:
        """Waits until the player is loaded. Raises what loading raised."""
        if not self._player.done():
            with loading_status():
                return self._player.result()
        return self._player.result()
