"""The application and its shutdown: Ctrl-C and SIGTERM stop the current reply, then the server, then the process."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from selfchatbot.display import visible_line
from selfchatbot.errors import SelfChatBotError
from selfchatbot.web.connections import WAIT_SECONDS, Connection
from selfchatbot.web.guard import Guard
from selfchatbot.web.jobs import LARGE_BODIES
from selfchatbot.web.model_routes import ASSETS, CurrentModel, LoadedModel
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.setup_routes import Setup, SetupRoutes
from selfchatbot.web.worker import Worker

MAX_WAITING = 64
"""Requests that wait for the model; further ones are refused."""
SHUTDOWN_SECONDS = 5


def application(
    model: CurrentModel,
    host: str = "127.0.0.1",
    token: str | None = None,
    allowed_hosts: Collection[str] = (),
    setup: SetupRoutes | None = None,
) -> Starlette:
    """The pages and the API. ``allowed_hosts``: other names of this server."""
    files = {f"/{file.name}" for file in ASSETS.iterdir()}
    app = Starlette(
        routes=[*(setup.routes() if setup else ()), Mount("/", model)],
        middleware=[
            Middleware(
                Guard,
                host=host,
                token=token,
                open_paths=("/", *files),
                allowed_hosts=allowed_hosts,
                secret_paths=setup.open_paths if setup else (),
            )
        ],
        exception_handlers=dict.fromkeys(
            (ApiError, HTTPException, SelfChatBotError, OSError, Exception), _error_response
        ),
    )
    app.state.large_bodies = asyncio.Semaphore(LARGE_BODIES)
    return app


async def _error_response(request: Request, error: Exception) -> Response:
    """Any error in OpenAI's format."""
    if isinstance(error, HTTPException):
        error = ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}")
    if isinstance(error, SelfChatBotError):  # for the person at the page, as at the terminal
        error = ApiError(400, visible_line(str(error)))
    if isinstance(error, OSError) and request.url.path.startswith("/setup/"):  # a full disk, no permission
        error = ApiError(500, visible_line(f"{error.strerror or error} ({error.filename})"), "server_error")
    if not isinstance(error, ApiError):
        logging.getLogger("selfchatbot").error("a request failed (%s)", type(error).__name__)
        error = ApiError(500, f"the server failed ({type(error).__name__})", "server_error")
    return error.response()


class Server(uvicorn.Server):
    """The application with its worker; runs until ``should_exit``."""

    def __init__(
        self,
        model: LoadedModel | None,
        host: str,
        token: str | None = None,
        max_waiting: int = MAX_WAITING,
        allowed_hosts: Collection[str] = (),
        setup: Setup | None = None,
    ) -> None:
        """``model`` is served; without one, ``setup`` leads to it."""
        self._worker = Worker(max_waiting)
        current = CurrentModel(self._worker, has_setup=setup is not None)
        if model is not None:
            current.use(model)
        self._setup = None if setup is None else SetupRoutes(current, setup)
        config = uvicorn.Config(
            application(current, host, token, allowed_hosts, self._setup),
            http=Connection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=round(WAIT_SECONDS),
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until Ctrl-C, SIGTERM or ``should_exit``."""
        try:
            asyncio.run(self.serve(sockets))
        finally:
            if self._setup is not None:
                self._setup.close(SHUTDOWN_SECONDS)
        self._worker.join(SHUTDOWN_SECONDS)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's own, but without raising the signal again at the end: the process exits normally."""
        numbers: list[int] = []
        if threading.current_thread() is threading.main_thread():
            # On Windows, Ctrl-Break and a closed console have a signal of their own.
            numbers = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGBREAK", None)])]
        before = [(number, signal.signal(number, self.handle_exit)) for number in numbers]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._worker.stop()
        await super().shutdown(sockets)
