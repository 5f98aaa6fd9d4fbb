"""The files of a run that are made to be read: metrics.jsonl, loss.png, report.md, log.txt."""

import importlib.metadata
import json
import logging
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from selfchatbot.display import markdown, visible_line
from selfchatbot.files import atomic_file, write_text
from selfchatbot.trainer.metrics import METRICS_NAME, Metrics, best_validation
from selfchatbot.trainer.samples import Samples

PLOT_NAME = "loss.png"
REPORT_NAME = "report.md"
LOG_NAME = "log.txt"
LOSS_EXPLAINED = (
    "The loss says how surprised the model is by your own words in conversations that it was not trained on: lower is "
    "more like you. 0.7 less means that each token of yours, a word or a part of one, is twice as likely."
)
PACKAGES = ("selfchatbot", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "tokenizers")


class _Handler(logging.FileHandler):
    """Ignores a full disk: writing something that matters will report it."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible_line(super().format(record))


@contextmanager
def log_file(path: Path, append: bool = False) -> Iterator[None]:
    """Also write selfchatbot's log into ``path``; it never contains message texts."""
    logger = logging.getLogger("selfchatbot")
    handler = _Handler(path, mode="a" if append else "w", encoding="utf-8")
    handler.setFormatter(_Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def plot(records: list[dict[str, Any]], path: Path) -> None:
    """Training and validation loss by step, with the base model's loss as a line and the best step marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training = [(record["step"], record["loss"]) for record in records if "loss" in record]
    validations = [record for record in records if "validation_loss" in record]
    validation = [(record["step"], record["validation_loss"]) for record in validations]
    figure = Figure(figsize=(8, 4.5))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.12, 0.89, 0.85))  # a computed layout draws everything twice
    if training:
        steps, losses = zip(*training, strict=True)
        axes.plot(steps, losses, color="tab:blue", alpha=0.25, label="training")
        axes.plot(steps, smoothed(losses), color="tab:blue", label="training, smoothed")
    if validation:
        axes.plot(*zip(*validation, strict=True), color="tab:orange", marker="o", label="validation")
        axes.axhline(validation[0][1], color="tab:gray", linestyle="--", linewidth=1, label="base model")
        best = validation[best_validation(validations)]
        axes.plot(*best, color="tab:red", marker="*", markersize=14, linestyle="", label=f"best: {best[1]:.3f}")
    axes.set_xlabel("step")
    axes.set_ylabel("loss (lower is better)")
    axes.legend(loc="upper right")
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=120, format="png")


def smoothed(losses: Sequence[float]) -> list[float]:
    """A running mean with weights that fall by half in a twentieth of the run (Kingma & Ba 2015: without bias)."""
    keep = 0.5 ** (20 / max(20, len(losses)))
    mean, weight, found = 0.0, 0.0, []
    for loss in losses:
        mean, weight = keep * mean + (1 - keep) * loss, keep * weight + (1 - keep)
        found.append(mean / weight)
    return found


class Report:
    """Reports on one run: metrics.jsonl during the run, loss.png and report.md whenever `write` is called."""

    def __init__(
        self,
        folder: Path,
        samples: Samples,
        tables: Mapping[str, Mapping[str, object]],
        state: dict[str, Any] | None = None,
    ) -> None:
        """``tables``: what else to report, by heading and key; ``state``: that of the run to resume."""
        state = state or {"step": None, "seconds": 0.0, "memory": 0, "answers": []}
        self.metrics = Metrics(folder / METRICS_NAME, state["step"])
        self.samples = samples
        self._folder = folder
        self._tables = tables
        self._seconds: float = state["seconds"]
        self._since = time.perf_counter()
        self._memory: int = state["memory"]
        if len(state["answers"]) == len(samples.all):
            for sample, answers in zip(samples.all, state["answers"], strict=True):
                sample.answers = {int(step): answer for step, answer in answers.items()}

    @property
    def memory(self) -> int:
        """Peak memory in bytes, of the GPU or of this process."""
        self._memory = max(self._memory, peak_memory())
        return self._memory

    @property
    def seconds(self) -> float:
        """Duration of the run in all of its processes."""
        return self._seconds + time.perf_counter() - self._since

    def state(self, step: int) -> dict[str, Any]:
        """What a report needs to resume after ``step``, as JSON values."""
        answers = [sample.answers for sample in self.samples.all]
        return {"step": step, "seconds": self.seconds, "memory": self.memory, "answers": answers}

    def write(self) -> None:
        """Write report.md and loss.png, if there is anything to report."""
        if records := self.metrics.read():
            plot(records, self._folder / PLOT_NAME)
            write_text(self._folder / REPORT_NAME, self._text(records))

    def _text(self, records: list[dict[str, Any]]) -> str:
        validations = [record for record in records if "validation_loss" in record]
        losses = [record["validation_loss"] for record in validations]
        best = best_validation(validations)
        parts = ["# Training", f"![loss by step]({PLOT_NAME})", "## Validation", LOSS_EXPLAINED]
        rows: list[list[object]] = [["step", "epoch", "loss", "compared to the base model", ""]]
        for number, record in enumerate(validations):
            change = f"{losses[number] - losses[0]:+.4f}"
            notes = ["best"] if number == best else []
            if "preference_round" in record:
                notes.append(f"preference round {record['preference_round']}, pair accuracy {_accuracy(record)}")
            mark = "; ".join(notes)
            rows.append([record["step"], record["epoch"], f"{losses[number]:.4f}", change, mark])
        parts.append(_table(rows))
        if self.samples.all:
            parts.append("## Samples")
        for sample in self.samples.all:
            rows = [["", ""], ["they", sample.question], ["you", sample.mine]]
            shown = {validations[number]["step"] for number in (0, best, -1)} & sample.answers.keys()
            rows += [[f"after step {step}" if step else "base model", sample.answers[step]] for step in sorted(shown)]
            parts.append(_table(rows))
        run = {
            "time": f"{timedelta(seconds=round(self.seconds))}",
            "peak memory": f"{self.memory / 2**30:.2f} GiB",
            **versions(),
        }
        for name, values in {**self._tables, "Run": run}.items():
            parts += [f"## {name}", _table([["", ""], *([key, _value(value)] for key, value in values.items())])]
        return "\n\n".join(parts) + "\n"


def peak_memory() -> int:
    """In bytes: what torch has allocated on the GPU, otherwise the resident memory of this process."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB


def versions() -> dict[str, str]:
    """The versions of everything that computes."""
    found = {"Python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _accuracy(record: dict[str, Any]) -> str:
    accuracy = record["pair_accuracy"]
    return "unknown" if accuracy is None else f"{accuracy:.3f}"


def _table(rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first row is its heading."""
    heading, *body = [f"| {' | '.join(markdown(str(cell)) for cell in row)} |" for row in rows]
    return "\n".join([heading, "|" + " --- |" * len(rows[0]), *body])


def _value(value: object) -> str:
    """A parameter as in parameters.json, but without quotation marks."""
    return value if isinstance(value, str) else json.dumps(value)
