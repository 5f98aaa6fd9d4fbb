"""What is there to see of the datasets, for the page."""

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

from selfchatbot.changes import RECORD_NAME, record
from selfchatbot.environment import STAGES, Dataset, Environment, datasets
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import read_jsonl
from selfchatbot.forgetting import MODELS
from selfchatbot.likeness.report.page import PAGE_FILE
from selfchatbot.likeness.report.phrasing import number
from selfchatbot.likeness.result import LIKENESS_FILE, load
from selfchatbot.runs import chosen_run, kept_runs, run_name
from selfchatbot.trainer.lock import is_training
from selfchatbot.trainer.metrics import METRICS_NAME, best_validation, validations


def all_datasets(environment: Environment) -> list[dict[str, Any]]:
    """Each dataset of any stage: how far it is, and its runs."""
    folders = {name: number for stage in STAGES for name, number in datasets(getattr(environment, stage)).items()}
    return [_described(Dataset(number, name, environment)) for name, number in sorted(folders.items(), key=_order)]


def records(dataset: Dataset) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that are complete, without numbers that JSON doesn't have."""
    found = read_jsonl(dataset.results / METRICS_NAME)
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in one.items()}
        for one in found
        if isinstance(one, dict)
    ]


def compared_runs(dataset: Dataset) -> list[dict[str, Any]]:
    """The trainings that have a model, the newest first, with their losses and the parameters that differ.

    ``auc`` is what the last evaluation found: 0.5 if the model's replies can't be told from mine, 1 if they always can.
    """
    found: list[dict[str, Any]] = []
    for run in (None, *reversed(kept_runs(dataset.results))):
        folder = replace(dataset, run=run).results
        if not any((folder / name).is_dir() for name in MODELS):
            continue
        losses = validations(folder / METRICS_NAME)
        best = losses[best_validation(losses)]["validation_loss"] if losses else None
        trained = record(folder / "best" / RECORD_NAME).get("parameters")
        auc = None
        with suppress(SelfChatBotError):
            result = load(folder / LIKENESS_FILE).speakers.get("model")
            auc = number(result.auc) if result else None
        found.append(
            {
                "run": run,
                "name": run or run_name(folder),
                "base": losses[0]["validation_loss"] if losses else None,
                "best": best,
                "auc": auc,
                "likeness": (folder / PAGE_FILE).is_file(),
                "parameters": trained if isinstance(trained, dict) else {},
            }
        )
    keys = dict.fromkeys(key for one in found for key in one["parameters"])
    differ = [key for key in keys if len({str(one["parameters"].get(key)) for one in found}) > 1]
    for one in found:
        one["parameters"] = {key: str(one["parameters"].get(key, "")) for key in differ}
    return found


def _described(dataset: Dataset) -> dict[str, Any]:
    results = dataset.results
    return {
        "id": dataset.id,
        "name": dataset.name,
        "raw": dataset.raw.is_dir(),
        "read": (dataset.preprocessed / "summary.json").is_file(),
        "unfinished": any(results.glob("checkpoints/step-*")),
        "trained": (replace(dataset, run=chosen_run(results, None)).results / "best").is_dir(),
        "training": is_training(results),
        "run": run_name(results),
        "runs": kept_runs(results),
        "likeness": (results / PAGE_FILE).is_file(),
    }


def _order(folder: tuple[str, str]) -> tuple[float, str]:
    name, number = folder
    return (int(number) if number.isdecimal() else math.inf, name)
