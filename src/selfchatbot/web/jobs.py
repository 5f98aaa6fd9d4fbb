"""What all endpoints that let the model work have in common: a body that arrives, a place in line, and an end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.worker import Busy, Job, Stopping, Worker

MOST_BYTES = 4 * 2**20
"""Of a request's body."""
BODY_SECONDS = 30.0
"""A body must have arrived by then."""

logger = logging.getLogger("selfchatbot")

T = TypeVar("T")


def submit(worker: Worker, work: Callable[[], Generator[T, None, None]]) -> Job[T]:
    """A job at the end of the line. Raises ApiError where there is none."""
    try:
        return worker.submit(work)
    except Busy:
        raise ApiError(
            429,
            f"{worker.longest_line} requests are waiting already: try again in a while",
            "rate_limit_error",
            code="rate_limit_exceeded",
        ) from None
    except Stopping as stopping:
        raise as_api_error(stopping) from None


@asynccontextmanager
async def given_up_on_disconnect(job: Job[Any], receive: Receive) -> AsyncIterator[None]:
    """Give ``job`` up as soon as the client is gone, also while it waits in line, and at the latest at the end."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        job.give_up()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        job.give_up()
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


async def body(request: Request) -> bytes:
    """The whole body. Raises ApiError for another type than JSON, too large a body and too slow a client."""
    # A page of somebody else can send other types without asking first; JSON it can't.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "Content-Type must be application/json")
    too_large = ApiError(413, f"a request may have {MOST_BYTES:,} bytes")
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise too_large
    arrived = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                arrived += piece
                if len(arrived) > MOST_BYTES:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, f"the request did not arrive within {BODY_SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise ApiError(400, "the client has left") from None
    return bytes(arrived)


def as_api_error(error: Exception) -> ApiError:
    """What a client is told of a job's end."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Stopping):
        return ApiError(503, "the server is stopping", "server_error")
    # What the error says could repeat what was said to the model.
    logger.error("a reply failed (%s)", type(error).__name__)
    return ApiError(500, f"the model failed ({type(error).__name__})", "server_error")
