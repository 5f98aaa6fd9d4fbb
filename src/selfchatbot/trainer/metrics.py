"""metrics.jsonl: the losses of a training, one record per line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfchatbot.files import fsync, read_jsonl, write_text

METRICS_NAME = "metrics.jsonl"


class Metrics:
    """Writes each record at once, so that the file can be read at any time."""

    def __init__(self, path: Path, until_step: int | None = None) -> None:
        """A new file or, for a resumed run, the old one as it was at ``until_step``."""
        self.path = path
        records = [] if until_step is None else _records(path)
        kept = [record for record in records if record["step"] <= until_step]
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))

    def add(self, **record: Any) -> None:
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")

    def sync(self) -> None:
        """Wait until all records are on disk."""
        fsync(self.path)

    def last_validation_loss(self) -> float:
        """In nats per trained token; nan before the first validation."""
        losses = [record["validation_loss"] for record in self.read() if "validation_loss" in record]
        return losses[-1] if losses else math.nan

    def read(self) -> list[dict[str, Any]]:
        """All records; lines left incomplete by a crash are skipped."""
        return list(_records(self.path))


def validations(path: Path) -> list[dict[str, Any]]:
    """The records of validations, with "epoch" and "validation_loss" (nats per trained token), from the base model on.

    Reads up to the first damaged line; empty if there is no file.
    """
    records = _records(path, stop_at_damage=True)
    return [record for record in records if isinstance(record.get("validation_loss"), float)]


def _records(path: Path, stop_at_damage: bool = False) -> Iterator[dict[str, Any]]:
    return (one for one in read_jsonl(path, stop_at_damage) if isinstance(one, dict) and type(one.get("step")) is int)
