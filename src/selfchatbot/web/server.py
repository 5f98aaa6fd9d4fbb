"""The application and its shutdown: Ctrl-C and SIGTERM stop the current reply, then the server, then the process."""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
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
from selfchatbot.session.typing_pace import MAX_WAIT_SECONDS, Pace
from selfchatbot.web.completions import Completions
from selfchatbot.web.connections import WAIT_SECONDS, Connection
from selfchatbot.web.game_routes import GameRoutes
from selfchatbot.web.guard import Guard
from selfchatbot.web.jobs import LARGE_BODIES
from selfchatbot.web.openai_schema import MAX_REPLY_TOKENS, ApiError
from selfchatbot.web.rating_routes import RatingRoutes
from selfchatbot.web.worker import Worker

MAX_WAITING = 64
"""Requests that wait for the model; further ones are refused."""
SHUTDOWN_SECONDS = 5
ASSETS = Path(__file__).parent / "assets"


class Assets(StaticFiles):
    """The files of the page. Browsers check each time whether they have changed."""

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
    allowed_hosts: Collection[str] = (),
    preferences: Path | None = None,
    pace: Pace | None = None,
) -> Starlette:
    """The page and the API.

    ``name`` is the person that the model imitates. ``contacts`` maps names to the system messages that tell the model
    who it is talking to. ``game`` has a page of its own. ``allowed_hosts``: other names of this server.
    ``preferences``: the preferences.jsonl that ratings are appended to. ``pace``: how fast that person types.
    """
    completions = Completions(player, worker, name, int(time.time()))

    async def about(request: Request) -> Response:
        parameters = player.parameters.model_dump(include=player.parameters.fields_with(Trait.PER_REQUEST))
        parameters["max_new_tokens"] = min(parameters["max_new_tokens"], MAX_REPLY_TOKENS)
        return JSONResponse(
            {
                "name": name,
                "parameters": parameters,
                "contacts": [{"name": contact, "system": system} for contact, system in (contacts or {}).items()],
                "game": game is not None,
                "ratings": preferences is not None,
                "pace": pace and {**asdict(pace), "most": MAX_WAIT_SECONDS},
            }
        )

    game_routes = [] if game is None else _game_routes(GameRoutes(game, worker))
    rating_routes = (
        [] if preferences is None else [Route("/preferences", RatingRoutes(preferences).add, methods=["POST"])]
    )
    files = {f"/{file.name}" for file in ASSETS.iterdir()}
    app = Starlette(
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
            *game_routes,
            *rating_routes,
            Mount("/", Assets(directory=ASSETS, html=True)),
        ],
        middleware=[Middleware(Guard, host=host, token=token, open_paths=("/", *files), allowed_hosts=allowed_hosts)],
        exception_handlers={ApiError: _error_response, HTTPException: _error_response, Exception: _error_response},
    )
    app.state.large_bodies = asyncio.Semaphore(LARGE_BODIES)
    return app


def _game_routes(routes: GameRoutes) -> list[Route]:
    return [
        Route("/game/round", routes.next_round, methods=["POST"]),
        Route("/game/guess", routes.guess, methods=["POST"]),
    ]


async def _error_response(request: Request, error: Exception) -> Response:
    """Any error in OpenAI's format."""
    if isinstance(error, HTTPException):
        error = ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}")
    if not isinstance(error, ApiError):
        logging.getLogger("selfchatbot").error("a request failed (%s)", type(error).__name__)
        error = ApiError(500, f"the server failed ({type(error).__name__})", "server_error")
    return error.response()


class Server(uvicorn.Server):
    """The application with its worker; runs until ``should_exit``."""

    def __init__(
        self,
        player: Player,
        name: str,
        host: str,
        token: str | None = None,
        contacts: Mapping[str, str] | None = None,
        max_waiting: int = MAX_WAITING,
        game: Game | None = None,
        allowed_hosts: Collection[str] = (),
        preferences: Path | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._worker = Worker(max_waiting)
        config = uvicorn.Config(
            application(player, self._worker, name, host, token, contacts, game, allowed_hosts, preferences, pace),
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
        asyncio.run(self.serve(sockets))
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
