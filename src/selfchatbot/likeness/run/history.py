"""The evaluations of one dataset: the last one in likeness.json, every one in likeness/ by the time it finished."""

import logging
from pathlib import Path

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.result import FILE_NAME, Likeness, load, save

FOLDER_NAME = "likeness"

logger = logging.getLogger(__name__)


def keep(result: Likeness, results: Path) -> None:
    """Write ``result`` into the results folder of its dataset, twice; the figures only, as it holds no text."""
    folder = results / FOLDER_NAME
    folder.mkdir(exist_ok=True)
    # Windows allows no colon in a file's name.
    save(result, folder / f"{result.run.finished.replace(':', '-')}.json")
    save(result, results / FILE_NAME)


def runs(results: Path) -> list[Likeness]:
    """All that was kept, oldest first; what can't be read any more (an older version's) is said and left out."""
    kept = []
    for path in sorted((results / FOLDER_NAME).glob("*.json")):
        try:
            kept.append(load(path))
        except SelfChatBotError as error:
            logger.info("left out of the comparison: %s", error)
    return kept


__all__ = ["keep", "runs"]
