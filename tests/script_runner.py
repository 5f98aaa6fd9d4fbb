"""Runs a console script in a process of its own that has imported torch and its friends already.

A script spends most of a short test on imports. Here a fork server imports them once; each run is forked from it, with
arguments, environment, folder and streams of its own. Where there is no fork, or for other options of
`subprocess.run`, it is a plain process.
"""

import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PRELOADED = ["torch", "transformers", "peft", "datasets", "accelerate", "sklearn.linear_model", "rich.console"]


def run_script(
    script: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str], **options: Any
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` returns for ``python -m selfchatbot.cli.<script>``."""
    command = [sys.executable, "-m", f"selfchatbot.cli.{script}", *arguments]
    light = script == "preprocess"  # it imports none of those
    if light or options.keys() - {"input", "errors"} or "forkserver" not in multiprocessing.get_all_start_methods():
        return subprocess.run(
            command,
            cwd=folder,
            env=dict(variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            **options,
        )
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    errors = options.get("errors", "strict")
    with tempfile.TemporaryDirectory() as scratch:
        streams = [Path(scratch) / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(options.get("input", "").encode("utf-8", errors))
        child = server.Process(target=_main, args=(script, list(arguments), str(folder), dict(variables), streams))
        child.start()
        child.join()
        out, err = (path.read_bytes().decode("utf-8", errors) if path.exists() else "" for path in streams[1:])
    assert child.exitcode is not None
    return subprocess.CompletedProcess(command, child.exitcode, out, err)


def _main(script: str, arguments: list[str], folder: str, variables: dict[str, str], streams: list[Path]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        descriptor = os.open(path, flags | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    # As `python -X utf8` opens them.
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8", errors="surrogateescape")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8", "surrogateescape")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)), "utf-8", "backslashreplace", line_buffering=True
    )
    sys.argv = [f"selfchatbot.cli.{script}", *arguments]
    runpy.run_module(f"selfchatbot.cli.{script}", run_name="__main__", alter_sys=True)
