"""What all endpoints that run the model have in common: a request body, a place in the queue, and errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from selfchatbot.web.address import is_loopback
from selfchatbot.web.connections import WAIT_SECONDS
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.worker import Job, QueueFull, Worker, WorkerStopped

MAX_BODY_BYTES = 4 * 2**20
SMALL_BODY_BYTES = 64 * 2**10
LARGE_BODIES = 16
"""Bodies above ``SMALL_BODY_BYTES`` that are received at the same time; others wait, so that all fit into memory."""

logger = logging.getLogger("selfchatbot")

T = TypeVar("T")


def submit(worker: Worker, request: Request, work: Callable[[], Generator[T, None, None]]) -> Job[T]:
    """A job at the end of the queue. Raises ApiError if the queue is full or the server is stopping."""
    try:
        return worker.submit(work, client_of(request))
    except (QueueFull, WorkerStopped) as error:
        raise as_api_error(error) from None


def client_of(request: Request) -> str:
    """Whose share of the queue a request counts for: the address, and on this machine the program (``User-Agent``).

    Everybody has the same token, and whoever wanted to could open any number of connections.
    """
    host = request.client.host if request.client else ""
    return f"{host} {request.headers.get('user-agent', '')}" if is_loopback(host) else host


@asynccontextmanager
async def cancel_on_disconnect(job: Job[Any], receive: Receive) -> AsyncIterator[None]:
    """Cancel ``job`` as soon as the client disconnects, even while it waits, and at the end of the block."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        job.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        job.cancel()
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


async def body(request: Request) -> bytes:
    """The whole body. Raises ApiError if it is not JSON, too large, too slow or cut off."""
    # Another site's page can send other types without asking, but not JSON (CORS preflight).
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "Content-Type must be application/json")
    too_large = ApiError(413, f"a request may have at most {MAX_BODY_BYTES:,} bytes")
    length = request.headers.get("content-length", "0")  # h11 has refused what is no number
    if len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
        raise too_large
    received = bytearray()
    try:
        async with asyncio.timeout(WAIT_SECONDS), AsyncExitStack() as places:
            async for part in request.stream():
                if len(received) <= SMALL_BODY_BYTES < len(received) + len(part):
                    await places.enter_async_context(request.app.state.large_bodies)
                received += part
                if len(received) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, f"the request did not arrive within {WAIT_SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise ApiError(400, "the client has disconnected") from None
    return bytes(received)


def as_api_error(error: Exception) -> ApiError:
    """What a client is told when a job fails."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, QueueFull):
        yours = f", {error.own} of them yours" if error.own else ""
        return ApiError(
            429,
            f"too many requests are waiting{yours}: try again later",
            "rate_limit_error",
            code="rate_limit_exceeded",
        )
    if isinstance(error, WorkerStopped):
        return ApiError(503, "the server is stopping", "server_error")
    # The error's own text could repeat a message.
    logger.error("a reply failed (%s)", type(error).__name__)
    return ApiError(500, f"the model failed ({type(error).__name__})", "server_error")
