"""What the setup is asked: the bodies of its requests, and the datasets in them."""

import asyncio
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from selfchatbot.environment import Dataset, find_dataset, read_environment
from selfchatbot.web.jobs import body
from selfchatbot.web.openai_schema import parsed

Asked = TypeVar("Asked", bound=BaseModel)


class Answer(JSONResponse):
    """JSON in ASCII: names of files and people may hold half a character, which has no UTF-8."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class Values(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfDataset(Values):
    dataset: str = Field(max_length=1000)

    async def find(self, stage: str) -> Dataset:
        """The dataset in the folder of ``stage``. Raises UsageError or SelfChatBotError if it is not there."""
        return await asyncio.to_thread(lambda: find_dataset(read_environment(), self.dataset, stage))


class OfRun(OfDataset):
    run: str | None = Field(None, max_length=100)


def from_query(request: Request) -> OfDataset:
    return OfDataset(dataset=request.query_params.get("dataset", "")[:1000])


async def asked_for(request: Request, kind: type[Asked]) -> Asked:
    """The body as ``kind``. Raises ApiError 400, which names the field."""
    return parsed(await body(request), kind)
