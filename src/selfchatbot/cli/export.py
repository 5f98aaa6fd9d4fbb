"""``selfChatBot_play -t export``: one folder with the model for other programs."""

import json
from contextlib import suppress
from pathlib import Path

from selfchatbot.environment import Dataset
from selfchatbot.export import export
from selfchatbot.gguf_file import Quantization
from selfchatbot.parameters import GenerationParameters


def export_dataset(
    dataset: Dataset, checkpoint: Path, parameters: GenerationParameters, quantization: Quantization
) -> Path:
    """Write ``export/`` into the results of a dataset; its path."""
    folder = dataset.results / "export"
    export(checkpoint, folder, parameters, dataset.name, quantization, _losses(dataset.results / "metrics.jsonl"))
    return folder


def _losses(metrics: Path) -> tuple[float, float] | None:
    """Validation losses of the base model and of the best checkpoint, if they were kept."""
    losses = []
    with suppress(OSError, ValueError), metrics.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            loss = json.loads(line).get("validation_loss")
            losses += [loss] if isinstance(loss, float) else []
    return (losses[0], min(losses)) if losses else None
