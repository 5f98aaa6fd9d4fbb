"""``/v1/chat/completions`` and ``/v1/models``, for any client of OpenAI's chat API."""

from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from selfchatbot.parameters import GenerationParameters
from selfchatbot.player import Player
from selfchatbot.web.jobs import as_api_error, body, given_up_on_disconnect, submit
from selfchatbot.web.openai_schema import DONE, Answer, ApiError, CompletionRequest, event, read_request
from selfchatbot.web.stop_sequences import Stops
from selfchatbot.web.worker import Job, Worker


@dataclass(frozen=True, slots=True)
class Part:
    """What one choice says next, stop sequences heeded."""

    choice: int
    text: str
    finish: Literal["stop", "length"] | None


@dataclass(slots=True)
class Usage:
    """Tokens read and made; written in the worker's thread, read when it is done."""

    prompt: int = 0
    made: dict[int, int] = field(default_factory=dict)

    def wire(self) -> dict[str, int]:
        made = sum(self.made.values())
        return {"prompt_tokens": self.prompt, "completion_tokens": made, "total_tokens": self.prompt + made}


def parts(
    player: Player, request: CompletionRequest, parameters: GenerationParameters, usage: Usage
) -> Generator[Part, None, None]:
    """The choices of a request, piece by piece; closing the generator stops the model."""
    chat, count = request.chat, request.n or 1
    seed = None if request.seed is None else request.seed % 2**32
    usage.prompt = len(player.prompt(chat, parameters))
    stops = [Stops(request.stops) for _ in range(count)]
    finished: set[int] = set()
    for piece in player.pieces(chat, count, parameters, seed):
        number = piece.candidate
        if number in finished:
            continue
        usage.made[number] = piece.tokens
        text = stops[number].feed(piece.text)
        finish = "stop" if stops[number].reached else piece.finish
        if finish:
            text += stops[number].rest()
            finished.add(number)
        yield Part(number, text, finish)
        if len(finished) == count:
            return


class Completions:
    """The endpoints; ``model`` is the name under which the player is known."""

    def __init__(self, player: Player, worker: Worker, model: str, created: int) -> None:
        self._player = player
        self._worker = worker
        self._model = {"id": model, "object": "model", "created": created, "owned_by": "me"}

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model]})

    async def model(self, request: Request) -> Response:
        if request.path_params["name"] != self._model["id"]:
            raise ApiError(404, f"there is one model here: {self._model['id']}", param="model", code="model_not_found")
        return JSONResponse(self._model)

    async def complete(self, request: Request) -> Response:
        asked = read_request(await body(request))
        parameters = asked.parameters(self._player.parameters)
        usage = Usage()
        job = submit(self._worker, lambda: parts(self._player, asked, parameters, usage))
        answer = Answer(str(self._model["id"]))
        if asked.stream:
            with_usage = asked.stream_options is not None and asked.stream_options.include_usage
            return EventStream(job, answer, asked.n or 1, usage if with_usage else None)
        texts, finishes = [""] * (asked.n or 1), ["stop"] * (asked.n or 1)
        async with given_up_on_disconnect(job, request.receive):
            try:
                async for part in job.items():
                    texts[part.choice] += part.text
                    finishes[part.choice] = part.finish or "stop"
            except Exception as error:
                raise as_api_error(error) from None
        return JSONResponse(answer.whole(texts, finishes, usage.wire()))


class EventStream(Response):
    """The choices of a job as server-sent events; a client that leaves ends the job."""

    media_type = "text/event-stream"

    def __init__(self, job: Job[Part], answer: Answer, count: int, usage: Usage | None) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._job, self._answer, self._count, self._usage = job, answer, count, usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with given_up_on_disconnect(self._job, receive):
            items = self._job.items()
            try:  # the status is sent when the model has begun, so that what goes wrong before has one of its own
                first = await anext(items, None)
            except Exception as error:
                await as_api_error(error).response()(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for chunk in self._chunks(first, items):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _chunks(self, first: Part | None, items: AsyncIterator[Part]) -> AsyncIterator[bytes]:
        for index in range(self._count):
            yield self._answer.chunk(index, {"role": "assistant", "content": ""})
        part = first
        try:
            while part is not None:
                if part.text:
                    yield self._answer.chunk(part.choice, {"content": part.text})
                if part.finish:
                    yield self._answer.chunk(part.choice, {}, part.finish)
                part = await anext(items, None)
        except Exception as error:
            yield event(as_api_error(error).body)
            return
        if self._usage is not None:
            yield self._answer.usage(self._usage.wire())
        yield DONE
