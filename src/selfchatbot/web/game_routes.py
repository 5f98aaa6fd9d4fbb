"""``/game``: "me or model?" on the page. Which reply is the real one stays here until a guess is made."""

import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import Generator, Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from selfchatbot.session.game import FILE_NAME, Game, Round
from selfchatbot.web.jobs import as_api_error, body, given_up_on_disconnect, submit
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.worker import Worker

MOST_OPEN = 64
"""Rounds that wait for a guess; of more, the oldest are forgotten."""

logger = logging.getLogger("selfchatbot")


class Guessing:
    """The endpoints of one game, which all who have the page open play together."""

    def __init__(self, game: Game, worker: Worker) -> None:
        self._game = game
        self._worker = worker
        self._rounds: Iterator[Round] = game.rounds()
        self._open: OrderedDict[str, Round] = OrderedDict()

    async def next_round(self, request: Request) -> Response:
        """``{"id", "context", "a", "b"}``; 404 when there are no more replies to guess."""
        await body(request)
        job = submit(self._worker, self._one)
        async with given_up_on_disconnect(job, request.receive):
            try:
                found = [this async for this in job.items()]
            except Exception as error:
                raise as_api_error(error) from None
        if not found:
            raise ApiError(404, "there are no more replies to guess")
        (this,) = found
        name = secrets.token_urlsafe(8)
        self._open[name] = this
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return JSONResponse({"id": name, "context": this.shown, "a": this.a, "b": this.b})

    async def guess(self, request: Request) -> Response:
        """``{"id", "side"}`` to ``{"right", "real", "score"}``, once for each round."""
        try:
            asked = json.loads(await body(request))
            name, side = asked["id"], asked["side"]
        except (ValueError, TypeError, KeyError):
            raise ApiError(400, 'a guess is {"id": ..., "side": "a" or "b"}') from None
        if side not in ("a", "b"):
            raise ApiError(400, 'side: "a" or "b"', param="side")
        this = self._open.pop(name, None) if isinstance(name, str) else None
        if this is None:
            raise ApiError(404, "there is no such round, or it was guessed already", param="id")
        try:
            right = self._game.guess(this, side)
        except OSError as error:
            logger.warning("%s can't be written (%s): this guess is not kept", FILE_NAME, error.strerror)
            right = side == this.real
        return JSONResponse({"right": right, "real": this.real, "score": str(self._game.score())})

    def _one(self) -> Generator[Round, None, None]:
        """In the worker's thread: the model writes the other reply."""
        this = next(self._rounds, None)
        if this is not None:
            yield this
