"""``selfChatBot_play -t export``: one folder with the model for other programs."""

from contextlib import suppress
from pathlib import Path

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.export import export
from selfchatbot.gguf.writer import Quantization
from selfchatbot.likeness.result import FILE_NAME as LIKENESS_NAME
from selfchatbot.likeness.result import Likeness, load
from selfchatbot.parameters import GenerationParameters
from selfchatbot.trainer.metrics import METRICS_NAME, validations


def export_dataset(
    dataset: Dataset, checkpoint: Path, parameters: GenerationParameters, quantization: Quantization
) -> Path:
    """Write ``export/`` into the results of a dataset; its path."""
    folder = dataset.results / "export"
    losses = [record["validation_loss"] for record in validations(dataset.results / METRICS_NAME)]
    measured = (losses[0], min(losses) if checkpoint.name == "best" else losses[-1]) if losses else None
    likeness = _likeness(dataset.results / LIKENESS_NAME, checkpoint.name, losses)
    export(checkpoint, folder, parameters, dataset.name, quantization, measured, likeness)
    return folder


def _likeness(path: Path, checkpoint: str, losses: list[float]) -> Likeness | None:
    """The last evaluation, if it is of this checkpoint and not of an earlier training."""
    with suppress(SelfChatBotError):
        found = load(path)
        if found.run.checkpoint == checkpoint and [validation.loss for validation in found.run.validation] == losses:
            return found
    return None
