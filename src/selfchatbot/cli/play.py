"""``selfChatBot_play``: talk to the model, and everything else that can be done with it, by ``-t``."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types import PLAY_TYPES, PlayRun
from selfchatbot.cli.shell import leave, parser, run, show_log
from selfchatbot.display import visible_line
from selfchatbot.player.engines.select import AUTO, ENGINE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selfchatbot.environment import Dataset


def main() -> None:
    """The console script."""
    arguments = parser("selfChatBot_play", "Talk to your model.")
    default = next(iter(PLAY_TYPES))
    arguments.add_argument(
        "-t",
        "--type",
        choices=PLAY_TYPES,
        default=default,
        help=f"{', '.join(f'{name}: {kind.summary}' for name, kind in PLAY_TYPES.items())} (default: {default})",
    )
    arguments.add_argument(
        "-mt", "--model-type", choices=("best", "final"), default="best", help="which checkpoint (default: %(default)s)"
    )
    arguments.add_argument("--run", metavar="NAME", help="an earlier training, kept in runs/ (default: the newest)")
    arguments.add_argument(
        "--engine",
        choices=ENGINE_NAMES,
        default=AUTO,
        help="what runs the model (default: %(default)s, the fastest one that is installed)",
    )
    for play_type in PLAY_TYPES.values():
        play_type.add_arguments(arguments)
    chosen = arguments.parse_args()
    PLAY_TYPES[chosen.type].check(chosen, arguments.error)
    leave(run(lambda: _play(chosen)))


def _play(chosen: argparse.Namespace) -> None:
    from selfchatbot.environment import find_dataset, read_environment
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.files import remove_leftovers
    from selfchatbot.parameters import FILE_NAME, GenerationParameters, read_parameters
    from selfchatbot.runs import chosen_run

    dataset = find_dataset(read_environment(), chosen.dataset, "results")
    dataset = replace(dataset, run=chosen_run(dataset.results, chosen.run))
    if dataset.run and not chosen.run:
        print(f"the newest run has no model yet: this is {dataset.run}", file=sys.stderr)
    checkpoint = dataset.results / chosen.model_type
    if not checkpoint.is_dir():
        raise SelfChatBotError(f"{checkpoint} is not there: run selfChatBot_train -d {dataset.id}")
    parameters = read_parameters(dataset.results / FILE_NAME, GenerationParameters)
    for folder in (dataset.results, *filter(Path.is_dir, dataset.results.iterdir())):
        remove_leftovers(folder)
    # On whatever stderr is at that moment: in a session, above the line that is being typed.
    show_log(lambda line: print(line, file=sys.stderr))
    for line in _changes(dataset, checkpoint):
        print(visible_line(line), file=sys.stderr)
    PLAY_TYPES[chosen.type].run(PlayRun(chosen, dataset, checkpoint, parameters))


def _changes(dataset: "Dataset", checkpoint: Path) -> "Iterator[str]":
    """What the model does not know of, or still knows although it was left out since: a line each."""
    from selfchatbot.changes import since_training, trained_on
    from selfchatbot.forgetting import names, remaining
    from selfchatbot.session.contacts import read_summary

    yield from since_training(dataset, checkpoint)
    if read_summary(dataset.preprocessed).get("leaves_out") and (left := remaining(dataset)):
        knows = "" if trained_on(dataset, checkpoint) else f"{checkpoint.name}/ still knows what you left out since; "
        yield (
            f"{knows}made from the conversations as they were: {names(dataset, left)}; "
            f"selfChatBot_preprocess -d {dataset.id} --forget deletes all of that"
        )


if __name__ == "__main__":
    main()
