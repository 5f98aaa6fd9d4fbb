"""``selfChatBot_play -t evaluate``: is it me?"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from selfchatbot.cli.signals import ended_by_signals
from selfchatbot.environment import Dataset
from selfchatbot.likeness.measures import canaries as canary_measure
from selfchatbot.likeness.measures.probes import read_probes
from selfchatbot.likeness.report.advice import advice
from selfchatbot.likeness.report.page import PAGE_FILE
from selfchatbot.likeness.report.terminal import print_summary
from selfchatbot.likeness.result import Likeness
from selfchatbot.likeness.run.canary_training import train_with_canaries
from selfchatbot.likeness.run.evaluation import evaluate
from selfchatbot.likeness.run.inputs import ProbeLine
from selfchatbot.likeness.run.progress import OnStep
from selfchatbot.parameters import GenerationParameters


def evaluate_dataset(
    chosen: argparse.Namespace, dataset: Dataset, checkpoint: Path, parameters: GenerationParameters
) -> None:
    """Evaluate a checkpoint; the summary on the screen, everything else in the results folder."""
    lines = read_probes(Path(chosen.probe)) if chosen.probe else []
    try:
        with ended_by_signals(), _progress() as on_progress:
            canaries = train_with_canaries(dataset, parameters, chosen.seed, on_progress) if chosen.canaries else None
            result = evaluate(
                dataset,
                checkpoint,
                parameters,
                contexts=chosen.contexts,
                seed=chosen.seed,
                examples=chosen.examples,
                probes=lines,
                canaries=canaries,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; the same command goes on from here") from None
    screen = Console(highlight=False, markup=False)
    print_summary(result, screen)
    for inserted, exposure, extracted, _ in canary_measure.rows(result.canaries):
        screen.print(f"secrets inserted {inserted}: exposure {exposure} bits, {extracted} extracted", soft_wrap=True)
    _print_probes(result, lines, screen)
    for sentence in advice(result):
        screen.print(f"- {sentence}", soft_wrap=True)
    screen.print(f"The page with everything: {dataset.results / PAGE_FILE}", soft_wrap=True)


def _print_probes(result: Likeness, lines: list[ProbeLine], screen: Console) -> None:
    for line, found in zip(lines, result.probes or (), strict=True):
        base = "" if found.base_z is None else f", base model {found.base_z:+.1f}"
        screen.print(f"{found.z:+.1f} standard deviations above chance{base}: {line.text}", soft_wrap=True)


@contextmanager
def _progress() -> Iterator[OnStep]:
    """A bar for the step that is running."""
    console = Console(stderr=True, highlight=False, markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading")

        def on_progress(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield on_progress
