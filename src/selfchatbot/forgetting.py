"""What still knows the conversations as they were: models and what was made with them; it can be deleted at once."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from selfchatbot.changes import RECORD_NAME, trained_on, written
from selfchatbot.environment import RUNS_FOLDER, Dataset
from selfchatbot.files import remove_leftovers
from selfchatbot.runs import kept_runs
from selfchatbot.session.transcripts import history_file

MODELS = ("best", "final")
MADE_WITH_MODELS = (
    "export", "*.gguf", "*.gguf.*", "sessions/*", "preferences.jsonl", "report.md",
    "likeness/*.jsonl", "likeness/canaries", "likeness.html", ".*.old", "checkpoints/.*.old",
)  # fmt: skip
"""In the results folder, besides models: what can hold words of the conversations, or weights."""


def remaining(dataset: Dataset) -> list[Path]:
    """Files and folders that were made from other conversations than those in the preprocessed folder now.

    Models are compared by the digest of their conversations; other things count if they are older than the models.
    """
    return list(_remaining(dataset))


def _remaining(dataset: Dataset) -> Iterator[Path]:
    results = dataset.results
    models = [results / name for name in MODELS if (results / name).is_dir()]
    unfinished = sorted(results.glob("checkpoints/step-*"))
    yield from (model for model in (*models, *unfinished) if not trained_on(dataset, model))
    current = [model for model in models or unfinished if trained_on(dataset, model)]
    since = min((written(model / RECORD_NAME) or written(model) for model in current), default=math.inf)
    for pattern in MADE_WITH_MODELS:
        yield from (path for path in sorted(results.glob(pattern)) if written(path) < since)
    for name in kept_runs(results):  # an earlier training is one thing, whatever was made with it
        run = results / RUNS_FOLDER / name
        if not any(trained_on(dataset, run / model) for model in MODELS if (run / model).is_dir()):
            yield run
    history = history_file(dataset.folder)
    if history.is_file() and written(history) < since:
        yield history


def names(dataset: Dataset, paths: list[Path]) -> str:
    """``paths`` in words: ``best/, sessions/, what you typed in sessions``."""
    found: dict[str, None] = {}
    for path in paths:
        if path.is_relative_to(dataset.results):
            first = path.relative_to(dataset.results).parts[0]
            name = f"{first}/" if (dataset.results / first).is_dir() else first
            found["GGUF files" if ".gguf" in name else name] = None
        else:
            found["what you typed in sessions"] = None
    return ", ".join(found)


def forget(dataset: Dataset) -> str:
    """Delete what is `remaining`; returns its `names`. Raises OSError."""
    for folder in (dataset.results, dataset.results / "checkpoints"):
        remove_leftovers(folder)
    paths = remaining(dataset)
    found = names(dataset, paths)
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return found
