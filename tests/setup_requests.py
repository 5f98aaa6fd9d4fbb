"""What tests of the setup share: plain requests to ``/setup/``, and waiting for what it started."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from web_server import ask

from selfchatbot.environment import Environment, find_dataset
from selfchatbot.player import Player
from selfchatbot.web.model_routes import LoadedModel

OCTETS = {"Content-Type": "application/octet-stream"}


def load(dataset: str, run: str | None) -> LoadedModel:
    """The model of a dataset in the working directory, with the plainest engine."""
    stages = {stage: Path(stage).resolve() for stage in ("raw", "preprocessed", "results")}
    found = replace(find_dataset(Environment(**stages), dataset, "results"), run=run)
    return LoadedModel(Player(found.results / "best"), found.name)


def get(address: str, path: str) -> Any:
    status, _, content = ask(address, f"/setup/{path}")
    assert status == 200, content
    return json.loads(content)


def post(address: str, path: str, status: int = 200, **values: object) -> Any:
    found, _, content = ask(address, f"/setup/{path}", json.dumps(values).encode())
    assert found == status, content
    return json.loads(content) if status == 200 else json.loads(content)["error"]["message"]


def put(address: str, path: Path | bytes, name: str = "", kind: str = "application/octet-stream") -> int:
    content = path if isinstance(path, bytes) else path.read_bytes()
    name = name or (path.name if isinstance(path, Path) else "file")
    return ask(address, f"/setup/files?path={quote(name)}", content, {"Content-Type": kind}, "PUT")[0]


def ended(address: str, seconds: float = 120) -> dict[str, Any]:
    """The newest task, when it has ended."""
    return until(address, lambda task: not task["running"], seconds)


def until(address: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        task: dict[str, Any] = get(address, "state")["task"]
        if condition(task):
            return task
        assert time.monotonic() < deadline and task["running"], task
        time.sleep(0.1)
