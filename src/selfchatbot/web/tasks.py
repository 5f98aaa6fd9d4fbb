"""What the machine does for the page: one stage at a time, each a console script in a process of its own.

A stage tells what it does by events, see `selfchatbot.cli.events`. It stops, as after Ctrl-C, when its stdin is closed:
by `Tasks.stop`, at the end of the server, or because the server is gone. So a training saves and can be resumed.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from selfchatbot.web.openai_schema import ApiError

KINDS = {
    "preprocess": "reading the chats",
    "train": "training",
    "evaluate": "evaluating",
    "export": "exporting",
    "load": "loading the model",
    "copy": "copying files",
    "forget": "deleting",
}
"""What can be done, in words."""
MAX_LINES = 100
STOPPED_CODE = 130


class Task:
    """One stage of one dataset, running or ended. A thread writes what happens; everybody may read `shown`."""

    def __init__(self, kind: str, dataset: str) -> None:
        self.kind, self.dataset = kind, dataset
        self._doing = "starting"
        self._progress: dict[str, Any] | None = None
        self._samples: dict[str, Any] | None = None
        self._who: dict[str, Any] | None = None
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._stopping = False
        self._code: int | None = None
        self._message = ""

    @property
    def running(self) -> bool:
        return self._code is None

    def shown(self) -> dict[str, Any]:
        """For the page. ``message`` is the error, or what the script said when it was stopped."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "running": self.running,
            "stopping": self._stopping,
            "doing": self._doing,
            "progress": self._progress,
            "samples": self._samples,
            "who": self._who,
            "lines": list(self._lines),
            "failed": self._code not in (None, 0, STOPPED_CODE),
            "message": self._message,
        }

    def start(self, command: Sequence[str]) -> None:
        """Raises OSError."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # until the process has ended
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command, "--events"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            # Ctrl-C in the terminal is for the server, which then stops this one in its own way.
            start_new_session=True,
        )
        threading.Thread(target=self._follow, name="task", daemon=True).start()

    def stop(self) -> None:
        """As with Ctrl-C. Returns at once."""
        self._stopping = True
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                self._happened(event.pop("event"), event)
        code = self._process.wait()
        self._errors.seek(0)
        said = [line for line in self._errors.read().decode("utf-8", "replace").split("\n") if line.strip()]
        self._errors.close()
        errors = [line for line in said if line.startswith("error: ")]
        if code == STOPPED_CODE:
            self._message = said[-1] if said else "stopped"
        elif code:
            self._message = errors[-1].removeprefix("error: ") if errors else f"it ended with exit code {code}"
        self._code = code

    def _happened(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "doing":
            self._doing = str(values["text"])
        elif kind == "line":
            self._lines.append(str(values["text"]))
        elif kind == "progress":
            self._progress = values
        elif kind == "samples":
            self._samples = values
        elif kind == "who":
            self._who = values


class Tasks:
    """The newest task; there is one at a time."""

    def __init__(self) -> None:
        self.newest: Task | None = None
        self._busy = ""

    @property
    def training(self) -> str | None:
        """The dataset that is trained now."""
        task = self.newest
        return task.dataset if task and task.running and task.kind == "train" else None

    def refuse(self) -> None:
        """Raises ApiError if there is something to wait for."""
        kind = self._busy or (self.newest.kind if self.newest and self.newest.running else "")
        if kind:
            raise ApiError(409, f"one thing at a time: the machine is {KINDS[kind]}; wait for it, or stop it")

    def start(self, kind: str, dataset: str, *command: str) -> Task:
        """Start a console script, a module of `selfchatbot.cli` with its arguments."""
        self.refuse()
        task = Task(kind, dataset)
        script, *arguments = command
        task.start([f"selfchatbot.cli.{script}", "-d", dataset, *arguments])
        self.newest = task
        return task

    @contextmanager
    def busy(self, kind: str) -> Iterator[None]:
        """While this process itself does something that needs the machine."""
        self.refuse()
        self._busy = kind
        try:
            yield
        finally:
            self._busy = ""

    def stop(self, seconds: float = 0) -> None:
        """Stop what runs, and wait for it for a while."""
        if self.newest and self.newest.running:
            self.newest.stop()
            self.newest.wait(seconds)
