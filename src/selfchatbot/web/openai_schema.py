"""Requests and responses in the format of OpenAI's chat API (platform.openai.com/docs/api-reference/chat)."""

import json
import time
import uuid
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.responses import JSONResponse

from selfchatbot.messages import ChatMessages
from selfchatbot.parameters import GenerationParameters

MAX_CHOICES = 8
MAX_REPLY_TOKENS = 1024
"""A longer reply can't be requested; the model's window may cut it further."""
MAX_MESSAGES = 10_000
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 1_000
"""Of a stop sequence: each is looked for after each token."""
MIN_TOP_P = 1e-6
"""Replaces 0, which OpenAI allows for: the most probable token."""


class ApiError(Exception):
    """An error for the client, in OpenAI's format."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}

    def response(self) -> JSONResponse:
        headers = {429: {"Retry-After": "5"}, 401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}}
        return JSONResponse(self.body, self.status, headers.get(self.status))


class _Schema(BaseModel):
    # Clients send fields that are unknown here, and penalties and tools with every request: they do no harm. What the
    # client must not go without is refused below.
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class RequestMessage(_Schema):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Any = None

    @field_validator("content")
    @classmethod
    def _parts(cls, content: Any) -> Any:
        if content is None or isinstance(content, str):
            return content
        if isinstance(content, list) and all(map(_is_part, content)):
            return content
        raise ValueError('a text was expected, or a list of parts such as {"type": "text", "text": "..."}')

    @property
    def text(self) -> str:
        """Its text parts, one below the other."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = (part if isinstance(part, str) else part["text"] for part in self.content if _is_text(part))
        return "\n".join(texts)

    @property
    def other_parts(self) -> set[str]:
        """The types of the parts that are no text."""
        parts = self.content if isinstance(self.content, list) else []
        return {part["type"] for part in parts if not _is_text(part)}


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or part["type"] == "text"


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return isinstance(part, str)
    kind = part.get("type")
    return isinstance(kind, str) and (kind != "text" or isinstance(part.get("text"), str))


class StreamOptions(_Schema):
    include_usage: bool = False


class ChatRequest(_Schema):
    """The body of a request about a conversation."""

    messages: list[RequestMessage] = Field(min_length=1, max_length=MAX_MESSAGES)

    @cached_property
    def chat(self) -> ChatMessages:
        """The conversation for the player, with all system messages joined at the beginning.

        Calls of tools, their results, and parts that are no text are left out.
        """
        system = [message.text for message in self.messages if message.role in ("system", "developer")]
        turns = [message for message in self.messages if message.role in ("user", "assistant")]
        first = [{"role": "system", "content": "\n\n".join(system)}] if any(system) else []
        return [*first, *({"role": turn.role, "content": turn.text} for turn in turns if turn.text)]


AnyRequest = TypeVar("AnyRequest", bound=ChatRequest)
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class CompletionRequest(ChatRequest):
    """A request for replies. ``top_k`` and ``repetition_penalty`` have the names that other local servers use."""

    model: str = ""
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    repetition_penalty: float | None = Field(None, ge=0.5, le=10)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(1, ge=1, le=MAX_CHOICES)
    seed: int | None = None
    stop: Any = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logit_bias: Any = None
    tool_choice: Any = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None

    @field_validator("max_tokens", "max_completion_tokens", mode="before")
    @classmethod
    def _as_many_as_fit(cls, value: Any) -> Any:
        """Ollama's way to say it, which its clients keep: -1 and -2."""
        return None if value in (-1, -2) else value

    @field_validator("stop")
    @classmethod
    def _short_stops(cls, stop: Any) -> Any:
        stops = [stop] if isinstance(stop, str) else stop or []
        if not (
            isinstance(stops, list)
            and len(stops) <= MAX_STOPS
            and all(isinstance(one, str) and len(one) <= MAX_STOP_CHARACTERS for one in stops)
        ):
            raise ValueError(f"up to {MAX_STOPS} texts of at most {MAX_STOP_CHARACTERS:,} characters were expected")
        return stops

    @field_validator("logit_bias")
    @classmethod
    def _no_bias(cls, value: Any) -> Any:
        if value:
            raise ValueError("not supported here: leave it out")
        return value

    @field_validator("tool_choice", "function_call")
    @classmethod
    def _free_choice(cls, value: Any) -> Any:
        if value not in (None, "auto", "none"):
            raise ValueError("this model calls no tools")
        return value

    @field_validator("response_format")
    @classmethod
    def _text_only(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("type") != "text":
            raise ValueError("only text is supported here")
        return value

    @property
    def stop_sequences(self) -> list[str]:
        return list(self.stop or [])

    def parameters(self, base: GenerationParameters) -> GenerationParameters:
        """``base``, changed by the request."""
        asked = {
            "temperature": self.temperature,
            "top_p": None if self.top_p is None else max(self.top_p, MIN_TOP_P),
            "top_k": self.top_k,
            "repetition_penalty": self.repetition_penalty,
            "max_new_tokens": self.max_completion_tokens or self.max_tokens,
        }
        chosen = base.model_copy(update={key: value for key, value in asked.items() if value is not None})
        return chosen.model_copy(update={"max_new_tokens": min(chosen.max_new_tokens, MAX_REPLY_TOKENS)})


def parsed(body: bytes, kind: type[AnyModel]) -> AnyModel:
    """The body of a request as ``kind``. Raises ApiError 400, which names the field and never repeats its content."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(map(str, first["loc"])) or None
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected:")
        raise ApiError(400, f"{param}: {message}" if param else message, param=param) from None


def read_request(body: bytes, kind: type[AnyRequest]) -> AnyRequest:
    """Parse a request about a conversation. Raises ApiError 400, as `parsed` does, and where nothing was said."""
    request = parsed(body, kind)
    turns = [message for message in request.messages if message.role in ("user", "assistant")]
    if turns and not turns[-1].text and (kinds := turns[-1].other_parts):
        part = min(kinds)[:40]
        raise ApiError(400, f"messages: the last one is {part} only, and this model reads text", param="messages")
    if not any(turn.text for turn in turns):
        raise ApiError(400, "messages: none of them is from the user or the assistant and has text", param="messages")
    return request


class CompletionResponse:
    """One response: its id, and the bodies that carry it."""

    def __init__(self, model: str) -> None:
        self._common = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def whole(self, texts: list[str], finish_reasons: list[str], usage: dict[str, int]) -> dict[str, Any]:
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": reason,
            }
            for index, (text, reason) in enumerate(zip(texts, finish_reasons, strict=True))
        ]
        return {**self._common, "object": "chat.completion", "choices": choices, "usage": usage}

    def chunk(self, index: int, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return server_sent_event({**self._common, "object": "chat.completion.chunk", "choices": [choice]})

    def usage(self, usage: dict[str, int]) -> bytes:
        return server_sent_event({**self._common, "object": "chat.completion.chunk", "choices": [], "usage": usage})


def server_sent_event(value: dict[str, Any]) -> bytes:
    """``value`` as one server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
