"""``/setup/``, for what is trained: evaluate, export, compare runs, and forget."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from selfchatbot.forgetting import forget, names, remaining
from selfchatbot.likeness.report.page import PAGE_FILE
from selfchatbot.runs import chosen_run
from selfchatbot.trainer.lock import is_training
from selfchatbot.web.datasets import compared_runs
from selfchatbot.web.openai_schema import ApiError
from selfchatbot.web.setup_requests import Answer, OfDataset, OfRun, asked_for, from_query
from selfchatbot.web.tasks import Tasks

MAX_REPORTS = 16
"""Addresses of reports that work at the same time."""
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report is one file with its styles, and runs no script."""


class _Forget(OfDataset):
    what: str
    """What the page has shown: nothing else is deleted."""


class TrainedRoutes:
    """``unload`` takes away the model that is loaded, and tells clients why."""

    def __init__(self, tasks: Tasks, unload: Callable[[str], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._unload = unload
        self._reports: dict[str, Path] = {}
        """By the path of their address, which can be guessed as little as a token."""
        self.reports = Route("/report/{secret}", self._report)

    @property
    def open_paths(self) -> Collection[str]:
        return self._reports.keys()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/runs", self._runs),
            Route("/remaining", self._remaining),
            Route("/evaluate", self._evaluate, methods=["POST"]),
            Route("/export", self._export, methods=["POST"]),
            Route("/likeness", self._likeness, methods=["POST"]),
            Route("/forget", self._forget, methods=["POST"]),
        ]

    async def _runs(self, request: Request) -> Response:
        """The trainings of a dataset, the newest first."""
        dataset = await from_query(request).find("results")
        return Answer({"runs": await asyncio.to_thread(compared_runs, dataset)})

    async def _evaluate(self, request: Request) -> Response:
        return await self._play(request, "evaluate", "an evaluation needs the memory now, talk to the model after it")

    async def _export(self, request: Request) -> Response:
        return await self._play(request, "export", "the model is being exported, talk to it after that")

    async def _play(self, request: Request, kind: str, reason: str) -> Response:
        asked = await asked_for(request, OfRun)
        dataset = await asked.find("results")
        self._tasks.refuse()
        await self._unload(reason)
        run = ["--run", asked.run] if asked.run else []
        self._tasks.start(kind, dataset.id, "play", "-t", kind, *run)
        return Answer({})

    async def _likeness(self, request: Request) -> Response:
        """An address of likeness.html, which a browser can open in a tab, where it sends no token."""
        asked = await asked_for(request, OfRun)
        dataset = await asked.find("results")
        path = replace(dataset, run=chosen_run(dataset.results, asked.run)).results / PAGE_FILE
        if not path.is_file():
            raise ApiError(404, "this run has not been evaluated yet")
        while len(self._reports) >= MAX_REPORTS:
            del self._reports[next(iter(self._reports))]
        address = f"report/{secrets.token_urlsafe(24)}"
        self._reports[f"/{address}"] = path
        return Answer({"address": address})

    async def _report(self, request: Request) -> Response:
        path = self._reports.get(request.url.path)
        try:
            page = await asyncio.to_thread(path.read_text, "utf-8") if path else ""
        except OSError:
            page = ""
        if not page:
            raise ApiError(404, "there is no such report: open it from the page again")
        return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})

    async def _remaining(self, request: Request) -> Response:
        """What was made from other conversations than those that are there now."""
        dataset = await from_query(request).find("results")
        return Answer({"what": await asyncio.to_thread(lambda: names(dataset, remaining(dataset)))})

    async def _forget(self, request: Request) -> Response:
        """Delete that."""
        asked = await asked_for(request, _Forget)
        dataset = await asked.find("results")

        def work() -> str:
            if is_training(dataset.results):
                raise ApiError(409, "a training is running, and would write again: stop it first")
            if names(dataset, remaining(dataset)) != asked.what:
                raise ApiError(409, "that has changed meanwhile: look again")
            return forget(dataset)

        with self._tasks.busy("forget"):
            await self._unload("models are being deleted")
            return Answer({"deleted": await asyncio.to_thread(work)})
