"""``/v1/chat/completions`` and ``/v1/models``, for any client of OpenAI's chat API."""

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from selfchatbot.parameters import GenerationParameters
from selfchatbot.player import Player
from selfchatbot.player.reply.draft import FinishReason
from selfchatbot.web.jobs import as_api_error, body, cancel_on_disconnect, submit
from selfchatbot.web.openai_schema import (
    DONE,
    ApiError,
    CompletionRequest,
    CompletionResponse,
    read_request,
    server_sent_event,
)
from selfchatbot.web.stop_sequences import StopSequences
from selfchatbot.web.worker import Job, Worker


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """The next part of one choice, after stop sequences were applied."""

    choice: int
    text: str
    finish_reason: FinishReason | None


@dataclass(slots=True)
class Usage:
    """Tokens of prompt and replies. The worker's thread writes it; it is read when the job is done."""

    prompt: int = 0
    completion: dict[int, int] = field(default_factory=dict)
    """By choice."""

    def to_json(self) -> dict[str, int]:
        total = sum(self.completion.values())
        return {"prompt_tokens": self.prompt, "completion_tokens": total, "total_tokens": self.prompt + total}


def choice_deltas(
    player: Player, request: CompletionRequest, parameters: GenerationParameters, usage: Usage
) -> Generator[ChoiceDelta, None, None]:
    """The choices of a request, part by part. Close the generator to stop the model."""
    chat, count = request.chat, request.n or 1
    seed = None if request.seed is None else request.seed % 2**32
    usage.prompt = len(player.prompt(chat, parameters))
    stops = [StopSequences(request.stop_sequences) for _ in range(count)]
    finished: set[int] = set()
    for chunk in player.chunks(chat, count, parameters, seed):
        number = chunk.candidate
        if number in finished:
            continue
        usage.completion[number] = chunk.tokens
        text = stops[number].feed(chunk.text)
        finish_reason: FinishReason | None = "stop" if stops[number].reached else chunk.finish_reason
        if finish_reason:
            text += stops[number].rest()
            finished.add(number)
        yield ChoiceDelta(number, text, finish_reason)
        if len(finished) == count:
            return


class Completions:
    """The endpoints; ``model`` is the name that the player is listed under."""

    def __init__(self, player: Player, worker: Worker, model: str, created: int) -> None:
        self._player = player
        self._worker = worker
        self._model = {"id": model, "object": "model", "created": created, "owned_by": "me"}

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model]})

    async def model(self, request: Request) -> Response:
        if request.path_params["name"] != self._model["id"]:
            raise ApiError(404, f"the only model here is {self._model['id']}", param="model", code="model_not_found")
        return JSONResponse(self._model)

    async def complete(self, request: Request) -> Response:
        asked = await asyncio.to_thread(read_request, await body(request), CompletionRequest)
        parameters = asked.parameters(self._player.parameters)
        usage = Usage()
        job = submit(self._worker, request, lambda: choice_deltas(self._player, asked, parameters, usage))
        response = CompletionResponse(str(self._model["id"]))
        if asked.stream:
            with_usage = asked.stream_options is not None and asked.stream_options.include_usage
            return EventStream(job, response, asked.n or 1, usage if with_usage else None)
        texts, finish_reasons = [""] * (asked.n or 1), ["stop"] * (asked.n or 1)
        async with cancel_on_disconnect(job, request.receive):
            try:
                async for delta in job.items():
                    texts[delta.choice] += delta.text
                    finish_reasons[delta.choice] = delta.finish_reason or "stop"
            except Exception as error:
                raise as_api_error(error) from None
        return JSONResponse(response.whole(texts, finish_reasons, usage.to_json()))


class EventStream(Response):
    """The choices of a job as server-sent events. The job is cancelled when the client disconnects."""

    media_type = "text/event-stream"

    def __init__(self, job: Job[ChoiceDelta], response: CompletionResponse, count: int, usage: Usage | None) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._job, self._response, self._count, self._usage = job, response, count, usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with cancel_on_disconnect(self._job, receive):
            items = self._job.items()
            try:  # the status is sent with the first item, so that an error before it has a status of its own
                first = await anext(items, None)
            except Exception as error:
                await as_api_error(error).response()(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for event in self._events(first, items):
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self, first: ChoiceDelta | None, items: AsyncIterator[ChoiceDelta]) -> AsyncIterator[bytes]:
        for index in range(self._count):
            yield self._response.chunk(index, {"role": "assistant", "content": ""})
        delta = first
        try:
            while delta is not None:
                if delta.text:
                    yield self._response.chunk(delta.choice, {"content": delta.text})
                if delta.finish_reason:
                    yield self._response.chunk(delta.choice, {}, delta.finish_reason)
                delta = await anext(items, None)
        except Exception as error:
            yield server_sent_event(as_api_error(error).body)
            return
        if self._usage is not None:
            yield self._response.usage(self._usage.to_json())
        yield DONE
