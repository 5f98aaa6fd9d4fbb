"""The trainings of one dataset. The newest is in the results folder itself, each earlier one in runs/NAME/ there.

A training that begins moves a finished one away, so that no model is ever trained over.
"""

import json
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from selfchatbot.environment import RUNS_FOLDER
from selfchatbot.errors import UsageError
from selfchatbot.files import read_small, write_text

RUN_FILE, FINAL = "run.json", "final"
NAME = re.compile(r"[\w][\w .+-]{0,79}")
OF_NO_RUN = frozenset((RUNS_FOLDER, "sessions", "preferences.jsonl", "checkpoints"))
"""What stays in the results folder when a run is moved: it is about the person, or of the run that begins."""
OF_A_RUN = (RUN_FILE, FINAL, "best")
COPIED = frozenset(("parameters.json", ".parameters.written.json"))
"""How it talks: kept with the run, and where the next one begins, as the user may have edited it."""


def check_name(name: str) -> None:
    """Raises UsageError for a name that can't be that of a folder."""
    if NAME.fullmatch(name) is None or name.endswith((" ", ".")):
        raise UsageError(f'a run can\'t be called "{name}": use letters, digits, spaces and . + - _')


def run_name(results: Path) -> str:
    """The name of the run in ``results``, which may be a kept one; of one without a name, the day it ended."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, UsageError):
        name = json.loads(read_small(results / RUN_FILE))["name"]
        check_name(name)  # it becomes the name of a folder
        return str(name)
    with suppress(OSError):
        return f"{datetime.fromtimestamp((results / FINAL).stat().st_mtime):%Y-%m-%d_%H%M}"
    return ""


def begin_run(results: Path, name: str | None) -> str | None:
    """Move a finished run away and write the name of the one that begins: ``name``, or the time.

    Returns the name of the run that was moved, None if there was none. A move that was interrupted goes on the next
    time. Raises UsageError for a name that is taken.
    """
    kept = None
    if (results / FINAL).is_dir():  # which appears when a run is complete
        kept = run_name(results)
        if name == kept:
            raise UsageError(f'there is a run called "{name}" already: choose another --name')
        folder = results / RUNS_FOLDER / kept
        folder.mkdir(parents=True, exist_ok=True)
        # What says that the run is complete, and its name, go last.
        for path in sorted(results.iterdir(), key=lambda path: (path.name == RUN_FILE, path.name == FINAL)):
            if path.name in COPIED:
                write_text(folder / path.name, path.read_text(encoding="utf-8"))
            elif path.name not in OF_NO_RUN and not path.name.endswith(".lock"):
                path.rename(folder / path.name)
    name = name or f"{datetime.now():%Y-%m-%d_%H%M}"
    taken = set(kept_runs(results))
    if name in taken:
        name = next(other for number in range(2, len(taken) + 3) if (other := f"{name}-{number}") not in taken)
    write_text(results / RUN_FILE, json.dumps({"name": name}) + "\n")
    return kept


def kept_runs(results: Path) -> list[str]:
    """The names of the earlier runs, oldest first. TensorBoard keeps its logs beside them."""
    folders = [path for path in (results / RUNS_FOLDER).glob("*") if any((path / one).exists() for one in OF_A_RUN)]
    return [path.name for path in sorted(folders, key=lambda path: (path.stat().st_mtime, path.name))]


def chosen_run(results: Path, name: str | None) -> str | None:
    """The kept run to play; None for the newest, in ``results`` itself.

    Without a name it is the newest that has a model. Raises UsageError for a name that no run has.
    """
    kept = kept_runs(results)
    if name is None:
        has_model = (results / "best").is_dir() or (results / FINAL).is_dir()
        return None if has_model or not kept else kept[-1]
    if name in kept:
        return name
    if name == run_name(results):
        return None
    there = ", ".join(filter(None, (*kept, run_name(results)))) or "none"
    raise UsageError(f'there is no run "{name}"; there are: {there}')


__all__ = ["begin_run", "check_name", "chosen_run", "kept_runs", "run_name"]
