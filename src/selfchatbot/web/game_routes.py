"""``/game``: "me or model?" on the page. Which reply is the real one stays on the server until the guess is made."""

import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import Generator
from itertools import islice

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from selfchatbot.session.game import GAME_FILE, Game, Round
from selfchatbot.web.jobs import as_api_error, body, cancel_on_disconnect, submit
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.worker import Worker

MAX_OPEN_ROUNDS = 64
"""Rounds that wait for a guess; the oldest are dropped."""

logger = logging.getLogger("selfchatbot")


class GameRoutes:
    """The endpoints of one game, which everyone who has the page open plays together."""

    def __init__(self, game: Game, worker: Worker) -> None:
        self._game = game
        self._worker = worker
        self._open: OrderedDict[str, Round] = OrderedDict()

    async def next_round(self, request: Request) -> Response:
        """``{"id", "context", "a", "b"}``; 404 when there are no more replies to guess."""
        await body(request)
        job = submit(self._worker, request, self._next)
        async with cancel_on_disconnect(job, request.receive):
            try:
                found = [item async for item in job.items()]
            except Exception as error:
                raise as_api_error(error) from None
        if not found:
            raise ApiError(404, "there are no more replies to guess")
        (current,) = found
        name = secrets.token_urlsafe(8)
        self._open[name] = current
        while len(self._open) > MAX_OPEN_ROUNDS:
            self._open.popitem(last=False)
        return JSONResponse({"id": name, "context": current.shown, "a": current.a, "b": current.b})

    async def guess(self, request: Request) -> Response:
        """From ``{"id", "side"}`` to ``{"right", "real", "verdict", "score"}``, once per round."""
        try:
            asked = json.loads(await body(request))
            name, side = asked["id"], asked["side"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ApiError(400, 'expected {"id": ..., "side": "a" or "b"}') from None
        if side not in ("a", "b"):
            raise ApiError(400, 'side: "a" or "b"', param="side")
        current = self._open.pop(name, None) if isinstance(name, str) else None
        if current is None:
            raise ApiError(404, "there is no such round, or it has been guessed already", param="id")
        try:
            right = self._game.guess(current, side)
        except OSError as error:
            logger.warning("%s can't be written (%s): this guess is not saved", GAME_FILE, error.strerror)
            right = side == current.real
        verdict, score = self._game.verdict(current, side), str(self._game.score())
        return JSONResponse({"right": right, "real": current.real, "verdict": verdict, "score": score})

    def _next(self) -> Generator[Round, None, None]:
        """One round or none; in the worker's thread, where the model writes the other reply."""
        yield from islice(self._game.rounds(), 1)
