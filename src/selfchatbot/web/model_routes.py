"""The endpoints of the model that is loaded. Another one can take its place while the server runs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from selfchatbot.parameters import Trait
from selfchatbot.player import Player
from selfchatbot.session.game import Game
from selfchatbot.session.typing_pace import MAX_WAIT_SECONDS, Pace
from selfchatbot.web.completions import Completions
from selfchatbot.web.game_routes import GameRoutes
from selfchatbot.web.openai_schema import MAX_REPLY_TOKENS, ApiError
from selfchatbot.web.rating_routes import RatingRoutes
from selfchatbot.web.worker import Worker

ASSETS = Path(__file__).parent / "assets"
METHODS = ["GET", "POST"]


class Assets(StaticFiles):
    """The files of the page. Browsers check each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and what the page needs besides it."""

    player: Player
    name: str
    """The person that it imitates."""
    contacts: Mapping[str, str] = field(default_factory=dict)
    """From names to the system messages that tell the model who it is talking to."""
    game: Game | None = None
    """It has a page of its own."""
    preferences: Path | None = None
    """The preferences.jsonl that ratings are appended to."""
    pace: Pace | None = None
    """How fast that person types."""


class CurrentModel:
    """An ASGI application: the page and the API of one model, or of none yet."""

    def __init__(self, worker: Worker, has_setup: bool = False) -> None:
        self._worker = worker
        self._has_setup = has_setup
        self.unload("no model is loaded")

    def use(self, model: LoadedModel) -> None:
        """Requests that are being answered by the model before this one are answered to their end."""
        routes = _routes(model, self._worker, self._has_setup)
        self._router = Router([*routes, Mount("/", Assets(directory=ASSETS, html=True))])

    def unload(self, reason: str) -> None:
        """Stop serving the model and free its memory. Requests that need a model then fail with ``reason``."""

        async def refuse(request: Request) -> Response:
            raise ApiError(503, f"{reason}: see setup.html", "server_error")

        async def begin(request: Request) -> Response:
            return RedirectResponse("setup.html", 303)

        paths = ("/v1/{path:path}", "/about", "/game/{path:path}", "/preferences")
        self._router = Router(
            [
                Route("/", begin),
                *(Route(path, refuse, methods=METHODS) for path in paths),
                Mount("/", Assets(directory=ASSETS, html=True)),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)


def _routes(model: LoadedModel, worker: Worker, has_setup: bool) -> Sequence[BaseRoute]:
    player = model.player
    completions = Completions(player, worker, model.name, int(time.time()))

    async def about(request: Request) -> Response:
        parameters = player.parameters.model_dump(include=player.parameters.fields_with(Trait.PER_REQUEST))
        parameters["max_new_tokens"] = min(parameters["max_new_tokens"], MAX_REPLY_TOKENS)
        known = [{"name": contact, "system": system} for contact, system in model.contacts.items()]
        return JSONResponse(
            {
                "name": model.name,
                "parameters": parameters,
                "contacts": known,
                "game": model.game is not None,
                "setup": has_setup,
                "ratings": model.preferences is not None,
                "pace": model.pace and {**asdict(model.pace), "most": MAX_WAIT_SECONDS},
            }
        )

    return [
        Mount(
            "/v1",
            routes=[
                Route("/chat/completions", completions.complete, methods=["POST"]),
                Route("/models", completions.models),
                Route("/models/{name:path}", completions.model),
            ],
        ),
        Route("/about", about),
        *(_game_routes(GameRoutes(model.game, worker)) if model.game else ()),
        *(
            [Route("/preferences", RatingRoutes(model.preferences).add, methods=["POST"])]
            if model.preferences is not None
            else ()
        ),
    ]


def _game_routes(routes: GameRoutes) -> list[Route]:
    return [
        Route("/game/round", routes.next_round, methods=["POST"]),
        Route("/game/guess", routes.guess, methods=["POST"]),
    ]
