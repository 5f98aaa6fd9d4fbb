"""Connections that send nothing, or half of something, are closed; and there is always a place for another one."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

WAIT_SECONDS = 30.0
"""For the head of a request, then for its body, or for each part of an uploaded file; between two requests; and for a
client to read what it is sent."""
MAX_WAITING = 512
"""Connections without a whole request. One more, and one is closed: the oldest of those that have sent no request,
if they are more than half; else one that has had an answer, those with no right to be here first."""
UPLOAD_PATH = "/setup/files"
KNOWN = "selfchatbot.known"
"""In the scope of a request: whoever sent it may do so, and has the token if there is one."""


class Connection(H11Protocol):
    """One connection. uvicorn has no limit for the time in which a request arrives or a response is read."""

    known = False
    answered = False
    since = 0.0
    """The time of the event loop at which it began to wait."""
    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            if not self.cycle.more_body:
                self._stop_waiting()
            elif self.cycle is not before or (KNOWN in self.scope and self.scope["path"] == UPLOAD_PATH):
                self._wait()

    def on_response_complete(self) -> None:
        self.known = self.known or KNOWN in self.scope
        self.answered = True
        self._wait()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close it as soon as it has been answered; at once if the request is not whole."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.give_up()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(WAIT_SECONDS, self.give_up)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def give_up(self) -> None:
        """Close it now, whatever has not been sent yet."""
        self._stop_waiting()
        self.transport.abort()

    def _wait(self) -> None:
        """From now on, the client has to send something, or lose its place to others."""
        self._stop_waiting()
        self.since = self.loop.time()
        # A second more, so that what has a limit of its own can still say why.
        self._waiting = self.loop.call_later(WAIT_SECONDS + 1, self.give_up)
        others = [one for one in self.connections if isinstance(one, Connection) and one._waiting and one is not self]
        if len(others) >= MAX_WAITING:
            answered = [one for one in others if one.answered]
            places = answered if len(answered) >= len(others) // 2 else [one for one in others if not one.answered]
            min(places, key=lambda one: (one.known, one.since)).give_up()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
