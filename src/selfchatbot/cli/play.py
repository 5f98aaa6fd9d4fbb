"""``selfChatBot_play``: talk to the model, and everything else that can be done with it, by ``-t``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.cli.play_types import PLAY_TYPES
from selfchatbot.cli.shell import add_events_option, leave, parser, run, show_log
from selfchatbot.display import visible_line
from selfchatbot.player.engines.select import AUTO, ENGINE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selfchatbot.environment import Dataset


def main() -> None:
    """The console script."""
    arguments = parser("selfChatBot_play", "Talk to your model.", needs_dataset=False)
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
    add_events_option(arguments)
    for play_type in PLAY_TYPES.values():
        play_type.add_arguments(arguments)
    chosen = arguments.parse_args()
    if not chosen.dataset and PLAY_TYPES[chosen.type].needs_model:
        arguments.error("the following arguments are required: -d/--dataset")
    PLAY_TYPES[chosen.type].check(chosen, arguments.error)
    leave(run(lambda: _play(chosen)))


def _play(chosen: argparse.Namespace) -> None:
    from selfchatbot.cli.play_types.base import open_run
    from selfchatbot.errors import SelfChatBotError, UsageError

    kind = PLAY_TYPES[chosen.type]
    play = None
    try:
        play = open_run(chosen) if chosen.dataset else None
    except SelfChatBotError as error:
        if kind.needs_model or isinstance(error, UsageError):
            raise
    # On whatever stderr is at that moment: in a session, above the line that is being typed.
    show_log(lambda line: print(line, file=sys.stderr))
    if play is None:
        kind.run_without_model(chosen)
        return
    if play.dataset.run and not chosen.run:
        print(visible_line(f"the newest run has no model yet: this is {play.dataset.run}"), file=sys.stderr)
    for line in _changes(play.dataset, play.checkpoint):
        print(visible_line(line), file=sys.stderr)
    kind.run(play)


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
