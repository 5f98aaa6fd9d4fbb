"""What is there to see of the datasets, for the page."""

import math
from typing import Any

from selfchatbot.environment import STAGES, Dataset, Environment, datasets
from selfchatbot.files import read_jsonl
from selfchatbot.likeness.report.page import PAGE_FILE
from selfchatbot.runs import chosen_run, kept_runs, run_name
from selfchatbot.trainer.lock import is_training
from selfchatbot.trainer.metrics import METRICS_NAME


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


def _described(dataset: Dataset) -> dict[str, Any]:
    results = dataset.results
    run = chosen_run(results, None)
    kept = results / "runs" / run if run else results
    return {
        "id": dataset.id,
        "name": dataset.name,
        "raw": dataset.raw.is_dir(),
        "read": (dataset.preprocessed / "summary.json").is_file(),
        "unfinished": any(results.glob("checkpoints/step-*")),
        "trained": (kept / "best").is_dir(),
        "training": is_training(results),
        "run": run_name(results),
        "runs": kept_runs(results),
        "likeness": (results / PAGE_FILE).is_file(),
    }


def _order(folder: tuple[str, str]) -> tuple[float, str]:
    name, number = folder
    return (int(number) if number.isdecimal() else math.inf, name)
