"""``selfChatBot_play -t export``: one folder with the model for other programs."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types.base import PlayRun, PlayType
from selfchatbot.gguf.quantization import DEFAULT_QUANTIZATION, EXPORT_QUANTIZATIONS

if TYPE_CHECKING:
    from selfchatbot.environment import Dataset
    from selfchatbot.gguf.quantization import Quantization
    from selfchatbot.likeness.result import Likeness
    from selfchatbot.parameters import GenerationParameters


class ExportPlay(PlayType):
    summary = "a folder for other programs"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument_group("with -t export").add_argument(
            "--quantize",
            choices=EXPORT_QUANTIZATIONS,
            default=DEFAULT_QUANTIZATION,
            help="number format of the GGUF file (default: %(default)s)",
        )

    def run(self, play: PlayRun) -> None:
        from selfchatbot.cli.events import consoles
        from selfchatbot.cli.signals import exit_on_signals

        screen, console = consoles(play.arguments.events)
        with exit_on_signals(), console.status("loading and writing the model"):
            from selfchatbot.models import quiet

            quiet()
            folder = export_dataset(play.dataset, play.checkpoint, play.parameters, play.arguments.quantize)
        done = f"{folder} is ready: its README.md says how to use it, and whom to ask before you share it"
        screen.print(done, soft_wrap=True)


def export_dataset(
    dataset: "Dataset", checkpoint: Path, parameters: "GenerationParameters", quantization: "Quantization"
) -> Path:
    """Write ``export/`` into the results of a dataset; returns its path."""
    from selfchatbot.export import export
    from selfchatbot.likeness.result import LIKENESS_FILE
    from selfchatbot.trainer.metrics import METRICS_NAME as METRICS_FILE
    from selfchatbot.trainer.metrics import best_validation, validations

    folder = dataset.results / "export"
    records = validations(dataset.results / METRICS_FILE)
    losses = [record["validation_loss"] for record in records]
    measured = (losses[0], losses[best_validation(records) if checkpoint.name == "best" else -1]) if losses else None
    likeness = _likeness(dataset.results / LIKENESS_FILE, checkpoint.name, losses)
    export(checkpoint, folder, parameters, dataset.name, quantization, measured, likeness)
    return folder


def _likeness(path: Path, checkpoint: str, losses: list[float]) -> "Likeness | None":
    """The last evaluation, if it is of this checkpoint and not of an earlier training."""
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.likeness.result import load

    with suppress(SelfChatBotError):
        found = load(path)
        if found.run.checkpoint == checkpoint and [validation.loss for validation in found.run.validation] == losses:
            return found
    return None
