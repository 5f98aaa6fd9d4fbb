"""``/setup/``: from files to a model that can be talked to, as the console scripts go, and with them.

What is kept, is kept in the folders of the environment; the page asks what is there, and for what happens now.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from selfchatbot.environment import Dataset, is_environment_set, read_environment
from selfchatbot.hub import check_name
from selfchatbot.memory import give_back_memory
from selfchatbot.parameters import FILE_NAME, RawParameters, read_parameters
from selfchatbot.runs import check_name as check_run_name
from selfchatbot.session.contacts import read_summary
from selfchatbot.setup.dataset import (
    add,
    create,
    leave_out,
    new_dataset,
    ready_environment,
    set_username,
    suggested_name,
)
from selfchatbot.web.datasets import all_datasets, records
from selfchatbot.web.jobs import body
from selfchatbot.web.model_routes import CurrentModel, LoadedModel
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.setup_requests import Answer, OfDataset, OfRun, Values, asked_for, from_query
from selfchatbot.web.tasks import Tasks
from selfchatbot.web.trained_routes import TrainedRoutes
from selfchatbot.web.uploads import MAX_BYTES, Uploads

TRAINING = "a training needs the memory now, talk to the model after it"
Handler = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the page needs from the program that serves it."""

    load: Callable[[str, str | None], LoadedModel]
    """Loads the model of a dataset, by its ID, or that of a kept run of it, by its name. Raises SelfChatBotError."""
    dataset: str | None = None
    run: str | None = None
    """Of the model that is loaded at the beginning."""


class _Model(Values):
    model: str = Field(min_length=1, max_length=1000)
    method: Literal["lora", "qlora"] = "lora"


class _NewDataset(_Model):
    name: str = Field(max_length=1000)


class _Reading(OfDataset):
    format: str | None = None
    me: str | None = None
    left_out: list[str] | None = Field(None, max_length=10_000)


class _Training(OfDataset):
    name: str | None = None
    restart: bool = False


class SetupRoutes:
    """The endpoints. Requests are JSON, except for files, and so are responses."""

    def __init__(self, model: CurrentModel, setup: Setup) -> None:
        self._model = model
        self._load = setup.load
        self._talking: dict[str, str | None] | None = None
        if setup.dataset:
            self._talking = {"dataset": setup.dataset, "run": setup.run}
        self._tasks = Tasks()
        self._uploads = Uploads()
        self._trained = TrainedRoutes(self._tasks, self._unload)

    def routes(self) -> Sequence[BaseRoute]:
        asked: dict[str, Handler] = {
            "state": self._state, "datasets": self._datasets, "models": self._models, "summary": self._summary,
            "metrics": self._metrics, "files": self._files,
        }  # fmt: skip
        done: dict[str, Handler] = {
            "clear": self._clear, "check": self._check, "create": self._create, "add": self._add,
            "preprocess": self._preprocess, "train": self._train, "stop": self._stop, "talk": self._talk,
        }  # fmt: skip
        return [
            Mount(
                "/setup",
                routes=[
                    *(Route(f"/{name}", handler) for name, handler in asked.items()),
                    *(Route(f"/{name}", handler, methods=["POST"]) for name, handler in done.items()),
                    Route("/files", self._receive, methods=["PUT"]),
                    *self._trained.routes(),
                ],
            ),
            self._trained.reports,
        ]

    @property
    def open_paths(self) -> Collection[str]:
        """Addresses of reports, which need no token: each is a secret itself."""
        return self._trained.open_paths

    def close(self, seconds: float) -> None:
        """Stop what runs, as with Ctrl-C, and delete what was not copied. A training may save for longer."""
        self._tasks.stop(seconds)
        self._uploads.clear()

    async def _state(self, request: Request) -> Response:
        """What happens now: cheap enough to be asked for every second."""
        task = self._tasks.newest
        return Answer({"task": task.shown() if task else None, "talking": self._talking})

    async def _datasets(self, request: Request) -> Response:
        """What is there, in the folders of the environment; they are made with the first dataset."""
        found = await asyncio.to_thread(lambda: all_datasets(read_environment()) if is_environment_set() else [])
        for one in found:
            one["training"] = one["training"] and one["id"] != self._tasks.training
        return Answer({"datasets": found, "folder": str(Path.cwd()), "name": suggested_name()})

    async def _models(self, request: Request) -> Response:
        """What can be trained here; the first one is recommended."""
        from selfchatbot.setup.models import fitting, this_hardware

        hardware = await asyncio.to_thread(this_hardware)
        models = [{**asdict(one), "what": str(one)} for one in fitting(hardware)]
        return Answer({"hardware": str(hardware), "models": models})

    async def _check(self, request: Request) -> Response:
        """What stands against a model; looks it up at huggingface.co if it is not here."""
        from selfchatbot.setup.model_check import problem_of

        asked = await asked_for(request, _Model)
        check_name(asked.model)
        raw = RawParameters(model=asked.model, type_fine_tune=asked.method)
        return Answer({"problem": await asyncio.to_thread(problem_of, raw)})

    async def _receive(self, request: Request) -> Response:
        # Another site's page can't send this type without asking (CORS preflight).
        if request.headers.get("content-type") != "application/octet-stream":
            raise ApiError(415, "Content-Type must be application/octet-stream")
        parent = read_environment().raw if is_environment_set() else Path.cwd()
        await self._uploads.receive(request, parent, request.query_params.get("path", ""))
        return Answer({})

    async def _files(self, request: Request) -> Response:
        """The files that wait, the suffixes and names of files that any format reads, and how much may wait."""
        from selfchatbot.preprocessors.reading.hints import known_kinds

        kinds = known_kinds()
        suffixes = sorted({".zip", *(suffix for kind in kinds for suffix in kind.suffixes)})
        names = sorted({name for kind in kinds for name in kind.companions})
        _, shown = await asyncio.to_thread(self._uploads.found)
        return Answer({"files": shown, "suffixes": suffixes, "names": names, "max_bytes": MAX_BYTES})

    async def _clear(self, request: Request) -> Response:
        await body(request)
        await asyncio.to_thread(self._uploads.clear)
        return Answer({})

    async def _create(self, request: Request) -> Response:
        """A new dataset of the files that wait, which is then preprocessed."""
        asked = await asked_for(request, _NewDataset)
        check_name(asked.model)

        def work() -> Dataset:
            exports, _ = self._uploads.found()
            if not exports:
                raise ApiError(400, "there is no export among the files: add the files of your chats")
            environment, _ = ready_environment()
            dataset = new_dataset(environment, asked.name)
            create(dataset, exports, asked.model, asked.method)
            self._uploads.clear()
            return dataset

        with self._tasks.busy("copy"):
            dataset = await asyncio.to_thread(work)
        self._tasks.start("preprocess", dataset.id, "preprocess")
        return Answer({"dataset": dataset.id})

    async def _add(self, request: Request) -> Response:
        """The files that wait, into a dataset that exists, which is then preprocessed."""
        dataset = await (await asked_for(request, OfDataset)).find("raw")

        def work() -> int:
            exports, _ = self._uploads.found()
            added = add(dataset, exports)
            self._uploads.clear()
            return added

        with self._tasks.busy("copy"):
            added = await asyncio.to_thread(work)
        self._tasks.start("preprocess", dataset.id, "preprocess")
        return Answer({"added": added})

    async def _preprocess(self, request: Request) -> Response:
        """Read the chats, after it was said who I am in a format or whom to leave out."""
        asked = await asked_for(request, _Reading)
        dataset = await asked.find("raw")
        self._tasks.refuse()
        if asked.format and asked.me:
            await asyncio.to_thread(set_username, dataset, asked.format, asked.me)
        if asked.left_out is not None:
            await asyncio.to_thread(leave_out, dataset, asked.left_out)
        self._tasks.start("preprocess", dataset.id, "preprocess")
        return Answer({})

    async def _summary(self, request: Request) -> Response:
        """summary.json: what preprocess found, with one conversation. And who is left out, whom it doesn't name."""
        dataset = await from_query(request).find("preprocessed")

        def work() -> dict[str, Any]:
            raw = dataset.raw / FILE_NAME
            left_out = read_parameters(raw, RawParameters).exclude.contacts if raw.exists() else ()
            return {**read_summary(dataset.preprocessed), "left_out": left_out}

        return Answer(await asyncio.to_thread(work))

    async def _train(self, request: Request) -> Response:
        """Begin a training, or resume an unfinished one. The memory of the model that is loaded is given back."""
        asked = await asked_for(request, _Training)
        if asked.name:
            check_run_name(asked.name)
        dataset = await asked.find("preprocessed")
        self._tasks.refuse()
        await self._unload(TRAINING)
        named = ["--name", asked.name] if asked.name else []
        self._tasks.start("train", dataset.id, "train", *named, *(["--restart"] if asked.restart else []))
        return Answer({})

    async def _metrics(self, request: Request) -> Response:
        """The losses of the newest training: the lines of metrics.jsonl."""
        dataset = await from_query(request).find("preprocessed")
        return Answer({"records": await asyncio.to_thread(records, dataset)})

    async def _stop(self, request: Request) -> Response:
        """As Ctrl-C does; a training saves first."""
        await body(request)
        self._tasks.stop()
        return Answer({})

    async def _talk(self, request: Request) -> Response:
        """Load a model and serve it; when this returns, the page of the conversation is there."""
        asked = await asked_for(request, OfRun)
        with self._tasks.busy("load"):
            await self._unload("another model is being loaded")
            self._model.use(await asyncio.to_thread(self._load, asked.dataset, asked.run))
        self._talking = {"dataset": asked.dataset, "run": asked.run}
        return Answer({})

    async def _unload(self, reason: str) -> None:
        self._talking = None
        self._model.unload(reason)
        await asyncio.to_thread(give_back_memory)
