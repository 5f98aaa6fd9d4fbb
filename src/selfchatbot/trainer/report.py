"""What a run leaves behind for its reader: metrics.jsonl, loss.png, log.txt."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfchatbot.atomic import atomic_file, write_text

METRICS_NAME = "metrics.jsonl"
PLOT_NAME = "loss.png"
LOG_NAME = "log.txt"


class Metrics:
    """A line of JSON for each record, written at once, so that the file can be read at any time."""

    def __init__(self, path: Path, until_step: int | None = None) -> None:
        """A new file, or, for a run that goes on, the old one as it was at ``until_step``."""
        self.path = path
        kept = [] if until_step is None else [record for record in self.read() if record["step"] <= until_step]
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))

    def add(self, **record: Any) -> None:
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All records; a last line that a killed run left unfinished is none."""
        if not self.path.exists():
            return []
        *lines, _ = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines]


@contextmanager
def log_file(path: Path, append: bool = False) -> Iterator[None]:
    """Everything that selfchatbot says during a run also goes into ``path``; message texts are never said."""
    logger = logging.getLogger("selfchatbot")
    handler = logging.FileHandler(path, mode="a" if append else "w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def plot(records: list[dict[str, Any]], path: Path) -> None:
    """Training and validation loss by step, the base model's loss as a line, the best checkpoint marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training = [(record["step"], record["loss"]) for record in records if "loss" in record]
    validation = [(record["step"], record["validation_loss"]) for record in records if "validation_loss" in record]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if training:
        axes.plot(*zip(*training, strict=True), color="tab:blue", alpha=0.35, label="training")
    if validation:
        axes.plot(*zip(*validation, strict=True), color="tab:orange", marker="o", label="validation")
        axes.axhline(validation[0][1], color="tab:gray", linestyle="--", linewidth=1, label="base model")
        best = min(validation[1:] or validation, key=lambda point: point[1])
        axes.plot(*best, color="tab:red", marker="*", markersize=14, linestyle="", label=f"best: {best[1]:.3f}")
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per trained token)")
    axes.legend()
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=120, format="png")
