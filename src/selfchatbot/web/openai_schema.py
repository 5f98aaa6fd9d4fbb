"""Requests and responses in the format of OpenAI's chat API (platform.openai.com/docs/api-reference/chat)."""

import json
import time
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.responses import JSONResponse

from selfchatbot.messages import ChatMessages
from selfchatbot.parameters import GenerationParameters

MAX_CHOICES = 8
MAX_REPLY_TOKENS = 1024
"""A longer reply can't be requested; the model's window may cut it further."""
MAX_MESSAGES = 10_000
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
    # Clients send fields that are unknown here. Those that would change a reply but aren't supported are refused below.
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class TextPart(_Schema):
    type: Literal["text"]
    text: str


class RequestMessage(_Schema):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(_Schema):
    include_usage: bool = False


class CompletionRequest(_Schema):
    """The body of a request. ``top_k`` and ``repetition_penalty`` have the names that other local servers use."""

    model: str = ""
    messages: list[RequestMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    repetition_penalty: float | None = Field(None, ge=0.5, le=10)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(1, ge=1, le=MAX_CHOICES)
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None

    @field_validator("frequency_penalty", "presence_penalty", "logprobs", "logit_bias", "tools", "functions")
    @classmethod
    def _unsupported(cls, value: object) -> object:
        if value:
            raise ValueError("not supported here")
        return value

    @field_validator("response_format")
    @classmethod
    def _text_only(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("type") != "text":
            raise ValueError("only text is supported here")
        return value

    @property
    def chat(self) -> ChatMessages:
        """The conversation for the player, with all system messages joined at the beginning."""
        system = [message.text for message in self.messages if message.role in ("system", "developer")]
        turns = [message for message in self.messages if message.role in ("user", "assistant")]
        first = [{"role": "system", "content": "\n\n".join(system)}] if any(system) else []
        return [*first, *({"role": turn.role, "content": turn.text} for turn in turns if turn.text)]

    @property
    def stop_sequences(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

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


def read_request(body: bytes) -> CompletionRequest:
    """Parse a request. Raises ApiError 400, which names the field and never repeats its content."""
    try:
        request = CompletionRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # The member of a union that was tried (`str`, `list[...]`) tells the reader nothing.
        place = [str(part) for part in first["loc"] if not (isinstance(part, str) and ("[" in part or part == "str"))]
        param = ".".join(place) or None
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError(400, f"{param}: {message}" if param else message, param=param) from None
    if not request.chat or request.chat[-1]["role"] != "user":
        raise ApiError(400, "messages: the last one must be from the user and not empty", param="messages")
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
