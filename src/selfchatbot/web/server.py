"""The application, its socket, and its end: Ctrl-C and SIGTERM stop what the model says, then the process, in order."""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from selfchatbot.parameters import Trait
from selfchatbot.player import Player
from selfchatbot.session.game import Game
from selfchatbot.web.completions import Completions
from selfchatbot.web.game_routes import Guessing
from selfchatbot.web.guard import Guard
from selfchatbot.web.openai_schema import MOST_TOKENS, ApiError
from selfchatbot.web.worker import Worker

LONGEST_LINE = 64
"""So many requests wait for the model; the next one is told to come again."""
MOST_CONNECTIONS = 512
SECONDS_TO_END = 5
ASSETS = Path(__file__).parent / "assets"


class Assets(StaticFiles):
    """The page's files; a browser asks each time whether they are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def application(
    player: Player,
    worker: Worker,
    name: str,
    host: str = "127.0.0.1",
    token: str | None = None,
    contacts: Mapping[str, str] | None = None,
    game: Game | None = None,
) -> Starlette:
    """The page and the API.

    ``name`` is whose voice it is; ``contacts`` are the system messages that tell the model with whom it talks; ``game``
    is played on a page of its own.
    """
    completions = Completions(player, worker, name, int(time.time()))

    async def about(request: Request) -> Response:
        parameters = player.parameters.model_dump(include=player.parameters.fields_with(Trait.PER_REQUEST))
        parameters["max_new_tokens"] = min(parameters["max_new_tokens"], MOST_TOKENS)
        known = [{"name": contact, "system": system} for contact, system in (contacts or {}).items()]
        return JSONResponse({"name": name, "parameters": parameters, "contacts": known, "game": game is not None})

    guessing = [] if game is None else _game_routes(Guessing(game, worker))
    files = {f"/{file.name}" for file in ASSETS.iterdir()}
    return Starlette(
        routes=[
            Mount(
                "/v1",
                routes=[
                    Route("/chat/completions", completions.complete, methods=["POST"]),
                    Route("/models", completions.models),
                    Route("/models/{name:path}", completions.model),
                ],
            ),
            Route("/about", about),
            *guessing,
            Mount("/", Assets(directory=ASSETS, html=True)),
        ],
        middleware=[Middleware(Guard, host=host, token=token, open_paths=("/", *files))],
        exception_handlers={ApiError: _told, HTTPException: _told, Exception: _told},
    )


def _game_routes(guessing: Guessing) -> list[Route]:
    return [
        Route("/game/round", guessing.next_round, methods=["POST"]),
        Route("/game/guess", guessing.guess, methods=["POST"]),
    ]


async def _told(request: Request, error: Exception) -> Response:
    """Every error in OpenAI's shape."""
    if isinstance(error, HTTPException):
        error = ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}")
    if not isinstance(error, ApiError):
        logging.getLogger("selfchatbot").error("a request failed (%s)", type(error).__name__)
        error = ApiError(500, f"the server failed ({type(error).__name__})", "server_error")
    return error.response()


class Server(uvicorn.Server):
    """An application with its worker, until ``should_exit``."""

    def __init__(
        self,
        player: Player,
        name: str,
        host: str,
        token: str | None = None,
        contacts: Mapping[str, str] | None = None,
        longest_line: int = LONGEST_LINE,
        game: Game | None = None,
    ) -> None:
        self._worker = Worker(longest_line)
        config = uvicorn.Config(
            application(player, self._worker, name, host, token, contacts, game),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until Ctrl-C, SIGTERM or ``should_exit``."""
        asyncio.run(self.serve(sockets))
        self._worker.join(SECONDS_TO_END)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, does not send itself the signal again at the end: the end is clean."""
        numbers: list[int] = []
        if threading.current_thread() is threading.main_thread():
            # On Windows, Ctrl-Break and the end of a console are a signal of their own.
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
