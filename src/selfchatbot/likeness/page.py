"""``likeness.html``: one evaluation as one page that needs nothing else, no script and nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfchatbot.likeness.result import Likeness, Speaker

FILE_NAME = "likeness.html"


@dataclass(frozen=True, slots=True)
class Example:
    """One context and what was said to it: the only private text on the page."""

    said: str
    """The last turn of the others."""
    replies: Mapping[Speaker, str]


def write_page(
    path: Path,
    result: Likeness,
    runs: Sequence[Likeness] = (),
    examples: Sequence[Example] = (),
    misses: Sequence[Example] = (),
) -> None:
    """Write the page, whole or not at all.

    ``runs`` are all evaluations of the dataset, oldest first, this one included; ``examples`` are shown as they come,
    ``misses`` are those that were told apart most surely, worst first. Without both, no word of a message is in it.
    """
    raise NotImplementedError
