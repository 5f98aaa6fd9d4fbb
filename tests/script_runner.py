"""Runs a console script or a function in a process of its own that has imported torch, its friends and the formats.

A script spends most of a short test on imports. Here a fork server imports them once; each run is forked from it, with
arguments, environment, folder and streams of its own. Where there is no fork, with another PYTHONPATH, or for other
options of `subprocess.run`, it is a plain process.
"""

import io
import multiprocessing
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from selfchatbot import preprocessors

PRELOADED = ["torch", "transformers", "peft", "datasets", "accelerate", "sklearn.linear_model", "rich.console"]
PRELOADED += ["matplotlib.figure", "matplotlib.backends.backend_agg", "prompt_toolkit", "pydantic"]
PRELOADED += [f"selfchatbot.{name}" for name in ("conversations.stage", "setup.models", "trainer", "player")]
PRELOADED += [module.name for module in pkgutil.iter_modules(preprocessors.__path__, "selfchatbot.preprocessors.")]
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
PYTHONPATH = os.environ.get("PYTHONPATH")
"""Where the fork server finds packages."""


def run_script(
    script: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str], **options: Any
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` returns for ``python -m selfchatbot.cli.<script>``.

    ``before``, a function of a module, is called first in its process.
    """
    before = options.pop("before", None)
    if options.keys() - {"input", "errors"} or variables.get("PYTHONPATH") != PYTHONPATH or not FORKS:
        if before:
            options["preexec_fn"] = before
        return subprocess.run(
            [sys.executable, "-m", f"selfchatbot.cli.{script}", *arguments],
            cwd=folder,
            env=dict(variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            **options,
        )
    with Forked(script_main, script, list(arguments), before, folder=folder, variables=variables, **options) as child:
        return child.done()


def run_function(function: Callable[..., object], *arguments: object) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` returns for a function of a module, called with ``arguments``."""
    with Forked(function, *arguments) as child:
        return child.done()


class Forked:
    """A function of a module that runs in a process of its own.

    Its streams are files, or a ``terminal``, which becomes the one that controls it.
    """

    def __init__(
        self,
        function: Callable[..., object],
        *arguments: object,
        folder: Path | None = None,
        variables: Mapping[str, str] = os.environ,
        terminal: str = "",
        input: str = "",
        errors: str = "strict",
    ) -> None:
        self._errors = errors
        self._scratch = tempfile.TemporaryDirectory()
        self._streams = [Path(self._scratch.name) / name for name in ("stdin", "stdout", "stderr")]
        self._streams[0].write_bytes(input.encode("utf-8", errors))
        server = multiprocessing.get_context("forkserver" if FORKS else "spawn")
        if FORKS:
            server.set_forkserver_preload(PRELOADED)
        streams = [terminal] * 3 if terminal else list(map(str, self._streams))
        self.process: BaseProcess = server.Process(
            target=_main, args=(function, arguments, str(folder or Path.cwd()), dict(variables), streams)
        )
        self.process.start()

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self._scratch.cleanup()

    def signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def first_line(self, seconds: float = 120) -> str:
        """What it wrote to stdout first. Raises AssertionError if it ends, or takes longer, without that."""
        deadline = time.monotonic() + seconds
        while True:
            alive, path = self.process.is_alive() and time.monotonic() < deadline, self._streams[1]
            line, end, _ = path.read_text(encoding="utf-8").partition("\n") if path.exists() else ("", "", "")
            if end:
                return line
            assert alive, self.done(0).stderr
            time.sleep(0.02)

    def done(self, seconds: float | None = None) -> "subprocess.CompletedProcess[str]":
        """Its exit code and what it wrote, when it has ended. Raises AssertionError if it takes longer."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it still runs after {seconds} s"
        out, err = (
            path.read_bytes().decode("utf-8", self._errors) if path.exists() else "" for path in self._streams[1:]
        )
        return subprocess.CompletedProcess(self.process.name, self.process.exitcode, out, err)


def start_script(script: str, arguments: Sequence[str], **options: Any) -> Forked:
    """`Forked` for ``python -m selfchatbot.cli.<script>``."""
    return Forked(script_main, script, list(arguments), **options)


def script_main(script: str, arguments: list[str], before: Callable[[], object] | None = None) -> None:
    if before:
        before()
    sys.argv = [f"selfchatbot.cli.{script}", *arguments]
    runpy.run_module(f"selfchatbot.cli.{script}", run_name="__main__", alter_sys=True)


def _main(
    function: Callable[..., object],
    arguments: tuple[object, ...],
    folder: str,
    variables: dict[str, str],
    streams: list[str],
) -> None:
    if hasattr(os, "setsid"):
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        descriptor = os.open(path, flags | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    # As `python -X utf8` opens them.
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8", errors="surrogateescape")
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8", "surrogateescape", line_buffering=os.isatty(1)
    )
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)), "utf-8", "backslashreplace", line_buffering=True
    )
    function(*arguments)
