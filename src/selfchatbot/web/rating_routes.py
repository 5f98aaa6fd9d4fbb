"""``/preferences``: ratings on the page, saved like those of a session in the terminal."""

from pathlib import Path

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from selfchatbot.session.preferences import add_preferences
from selfchatbot.web.jobs import body
from selfchatbot.web.openai_schema import ApiError, ChatRequest, read_request

MAX_REJECTED = 64


class PreferenceRequest(ChatRequest):
    """One reply to ``messages`` that is better than others."""

    chosen: str
    rejected: list[str] = Field(max_length=MAX_REJECTED)


class RatingRoutes:
    """The endpoint; ``path`` is the preferences.jsonl that it appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def add(self, request: Request) -> Response:
        """From ``{"messages", "chosen", "rejected"}`` to ``{"saved"}``, the number of comparisons."""
        rated = read_request(await body(request), PreferenceRequest)
        if rated.chat[-1]["role"] != "user":
            raise ApiError(400, "messages: the last one must be what the replies answer", param="messages")
        try:
            saved = add_preferences(self._path, rated.chat, rated.chosen, rated.rejected)
        except OSError as error:
            message = f"{self._path.name} can't be written ({error.strerror}): the rating is lost"
            raise ApiError(500, message, "server_error") from None
        return JSONResponse({"saved": saved})
