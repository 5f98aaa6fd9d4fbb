"""``selfChatBot_play -t evaluate``: how much is the model like you?"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types.base import PlayRun, PlayType
from selfchatbot.cli.shell import integer
from selfchatbot.likeness.limits import DEFAULT_CONTEXTS, MIN_CONTEXTS

if TYPE_CHECKING:
    from selfchatbot.cli.console import Console
    from selfchatbot.likeness.result import Likeness
    from selfchatbot.likeness.run.inputs import ProbeLine

MAX_SEED = 2**32 - 1


class EvaluatePlay(PlayType):
    summary = "a measurement of how much it is like you"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        options = parser.add_argument_group("with -t evaluate")
        options.add_argument(
            "--contexts",
            type=integer(MIN_CONTEXTS),
            default=DEFAULT_CONTEXTS,
            metavar="N",
            help="number of test messages that are answered (default: %(default)s)",
        )
        options.add_argument(
            "--seed",
            type=integer(0, MAX_SEED),
            default=0,
            metavar="N",
            help="the same seed gives the same results (default: %(default)s)",
        )
        options.add_argument(
            "--examples",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="show some replies beside yours on the page",
        )
        options.add_argument(
            "--probe", metavar="FILE", help="names or phrases, one per line: does the model know them?"
        )
        options.add_argument(
            "--judge",
            metavar="MODEL",
            help="a larger model that reads the replies: do they make sense? (a hub name, a folder or a .gguf file)",
        )
        options.add_argument(
            "--canaries", action="store_true", help="train once more with made-up secrets: do they come out?"
        )

    def run(self, play: PlayRun) -> None:
        """The summary goes to the screen, everything else into the results folder."""
        from selfchatbot.cli.events import consoles
        from selfchatbot.cli.signals import exit_on_signals
        from selfchatbot.likeness.measures.canaries import rows
        from selfchatbot.likeness.measures.probes import read_probes
        from selfchatbot.likeness.report.advice import advice
        from selfchatbot.likeness.report.page import PAGE_FILE
        from selfchatbot.likeness.report.terminal import print_summary
        from selfchatbot.likeness.run.canary_training import train_with_canaries
        from selfchatbot.likeness.run.evaluation import evaluate

        options, dataset, parameters = play.arguments, play.dataset, play.parameters
        lines = read_probes(Path(options.probe)) if options.probe else []
        screen, console = consoles(options.events)
        try:
            with exit_on_signals(), _progress(console) as on_progress:
                canaries = None
                if options.canaries:
                    canaries = train_with_canaries(dataset, parameters, options.seed, on_progress)
                result = evaluate(
                    dataset,
                    play.checkpoint,
                    parameters,
                    contexts=options.contexts,
                    seed=options.seed,
                    examples=options.examples,
                    probes=lines,
                    canaries=canaries,
                    judge=options.judge,
                    on_progress=on_progress,
                )
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped; run the same command again to resume") from None
        print_summary(result, screen)
        for inserted, exposure, extracted, _ in rows(result.canaries):
            screen.print(
                f"secrets inserted {inserted}: exposure {exposure} bits, {extracted} extracted", soft_wrap=True
            )
        _print_probes(result, lines, screen)
        for sentence in advice(result):
            screen.print(f"- {sentence}", soft_wrap=True)
        screen.print(f"The page with everything: {dataset.results / PAGE_FILE}", soft_wrap=True)


def _print_probes(result: "Likeness", lines: "list[ProbeLine]", screen: "Console") -> None:
    for line, found in zip(lines, result.probes or (), strict=True):
        base = "" if found.base_z is None else f", base model {found.base_z:+.1f}"
        gained = "" if found.gain_z is None else f", gained by training {found.gain_z:+.1f}"
        screen.print(f"{found.z:+.1f} standard deviations above chance{base}{gained}: {line.text}", soft_wrap=True)


@contextmanager
def _progress(console: "Console") -> Iterator[Callable[[str, int, int], None]]:
    """A bar for the current step."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading")

        def on_progress(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)
            console.send("progress", text=what, step=done, steps=of)

        yield on_progress
