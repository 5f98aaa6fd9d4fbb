"""The evaluations of one dataset: the latest in likeness.json, and all of them in likeness/, named by time."""

import logging
from pathlib import Path

from selfchatbot.environment import RUNS_FOLDER
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import new_file
from selfchatbot.likeness.result import LIKENESS_FILE, Likeness, load, save
from selfchatbot.runs import kept_runs

HISTORY_FOLDER = "likeness"

logger = logging.getLogger(__name__)


def keep(result: Likeness, results: Path) -> None:
    """Write ``result`` to both places in the results folder of its dataset; it holds figures only, no text."""
    folder = results / HISTORY_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    # Windows allows no colon in a file's name.
    save(result, new_file(folder, result.run.finished.replace(":", "-"), ".json"))
    save(result, results / LIKENESS_FILE)


def runs(results: Path) -> list[Likeness]:
    """All evaluations that were kept, of all runs of the dataset, oldest first.

    Unreadable ones (of an older version) are logged and skipped.
    """
    kept = []
    top = results.parent.parent if results.parent.name == RUNS_FOLDER else results
    folders = [folder / HISTORY_FOLDER for folder in (top, *(top / RUNS_FOLDER / name for name in kept_runs(top)))]
    for path in sorted((path for folder in folders for path in folder.glob("*.json")), key=lambda path: path.name):
        try:
            kept.append(load(path))
        except SelfChatBotError as error:
            logger.info("left out of the comparison: %s", error)
    return kept


__all__ = ["HISTORY_FOLDER", "keep", "runs"]
