"""How fast I type: the time between two messages of a burst as a fixed pause plus a time per character."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.session.contacts import read_summary

MAX_GAP_SECONDS = 180.0
"""After a longer silence, I did something else in between."""
MIN_GAPS, MAX_GAPS = 50, 20_000
"""Gaps that are needed for a fit, and after which reading stops."""
MAX_WAIT_SECONDS = 8.0
"""Nobody has to wait longer than this for a message."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The defaults are those of people who type with two hands: 50 words per minute (Dhakal et al. 2018, CHI)."""

    pause: float = 1.0
    """Seconds before typing begins."""
    seconds_per_character: float = 0.24

    def seconds(self, message: str) -> float:
        """How long I need to write this message, at most ``MAX_WAIT_SECONDS``."""
        return min(self.pause + self.seconds_per_character * len(message), MAX_WAIT_SECONDS)


def learned_pace(dataset: Dataset) -> Pace:
    """My pace: "pace" in summary.json if it is there, else fitted to the exports, else the default.

    "pace" is ``{"pause": seconds, "seconds_per_character": seconds}``.
    """
    summary = read_summary(dataset.preprocessed)
    pace = summary.get("pace")
    if isinstance(pace, dict):
        values = (pace.get("pause"), pace.get("seconds_per_character"))
        if all(isinstance(value, int | float) and 0 <= value < 60 for value in values):
            return Pace(float(values[0]), float(values[1]))  # type: ignore[arg-type]
    try:
        return fitted_pace(list(islice(_all_gaps(dataset, summary), MAX_GAPS))) or Pace()
    except (SelfChatBotError, OSError, AttributeError, TypeError, LookupError, ValueError):
        return Pace()  # the exports may have moved or changed since; the pace is not worth an error


def fitted_pace(gaps: list[tuple[int, float]]) -> Pace | None:
    """Least squares over (characters of the second message, seconds since the first); None for too few gaps.

    Times that an export cut to whole minutes do no harm, because the mean error of their differences is 0.
    """
    if len(gaps) < MIN_GAPS:
        return None
    mean_x = sum(x for x, _ in gaps) / len(gaps)
    mean_y = sum(y for _, y in gaps) / len(gaps)
    spread = sum((x - mean_x) ** 2 for x, _ in gaps)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in gaps) / spread if spread else 0.0
    # Less than 20 ms or more than a second per character is not typing.
    slope = min(max(slope, 0.02), 1.0)
    return Pace(max(mean_y - slope * mean_x, 0.2), slope)


def _all_gaps(dataset: Dataset, summary: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """The gaps in all exports."""
    from selfchatbot.parameters import FILE_NAME, RawParameters, read_parameters
    from selfchatbot.preprocessors import Preprocessors

    raw = read_parameters(dataset.raw / FILE_NAME, RawParameters)
    for part in summary["formats"]:
        preprocessor = Preprocessors[part["name"]].model_validate(raw.preprocessor_data.get(part["name"], {}))
        yield from typing_gaps(preprocessor.read(dataset.raw / part["name"]), set(part["me"]))


def typing_gaps(messages: Iterable[Message], me: set[str]) -> Iterator[tuple[int, float]]:
    """Characters and seconds of each message of mine that follows another one of mine in the same chat."""
    for before, message in pairwise(messages):
        if before.author in me and message.author in me and before.chat == message.chat:
            seconds = (message.timestamp - before.timestamp).total_seconds()
            if 0 <= seconds <= MAX_GAP_SECONDS:
                yield len(message.content), seconds
