"""How fast I type: from one message of a burst to the next, so many seconds and so many more for each character."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.session.contacts import read_summary

MOST_GAP = 180.0
"""Seconds. After a longer silence I have done something else in between."""
FEWEST, MOST = 50, 20_000
"""Gaps that are needed, and after which no more are read."""
LONGEST = 8.0
"""Seconds that anybody is made to wait for a message."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The defaults are those of people who type with two hands: 50 words a minute (Dhakal et al. 2018, CHI)."""

    pause: float = 1.0
    """Seconds before a message is begun."""
    seconds_per_character: float = 0.24

    def seconds(self, message: str) -> float:
        """How long this message takes me, with an upper bound for the patience of who reads it."""
        return min(self.pause + self.seconds_per_character * len(message), LONGEST)


def learned_pace(dataset: Dataset) -> Pace:
    """My pace: "pace" in summary.json where it is there, else from the exports, else the default.

    "pace" is ``{"pause": seconds, "seconds_per_character": seconds}``.
    """
    summary = read_summary(dataset.preprocessed)
    pace = summary.get("pace")
    if isinstance(pace, dict):
        values = (pace.get("pause"), pace.get("seconds_per_character"))
        if all(isinstance(value, int | float) and 0 <= value < 60 for value in values):
            return Pace(float(values[0]), float(values[1]))  # type: ignore[arg-type]
    try:
        return fitted(list(islice(_gaps(dataset, summary), MOST))) or Pace()
    except (SelfChatBotError, OSError, AttributeError, TypeError, LookupError, ValueError):
        return Pace()  # the exports may have moved or changed since: the rhythm is not worth an error


def fitted(gaps: list[tuple[int, float]]) -> Pace | None:
    """Least squares over (characters of the second message, seconds since the first); None where they don't tell.

    Times that an export cut to whole minutes do no harm: the error of a difference of two of them is 0 on average.
    """
    if len(gaps) < FEWEST:
        return None
    mean_x = sum(x for x, _ in gaps) / len(gaps)
    mean_y = sum(y for _, y in gaps) / len(gaps)
    spread = sum((x - mean_x) ** 2 for x, _ in gaps)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in gaps) / spread if spread else 0.0
    # Nobody types a character in less than 20 ms or in more than a second: then it is something else that was measured.
    slope = min(max(slope, 0.02), 1.0)
    return Pace(max(mean_y - slope * mean_x, 0.2), slope)


def _gaps(dataset: Dataset, summary: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Between two messages of mine in a row, in all exports."""
    from selfchatbot.parameters import FILE_NAME, RawParameters, read_parameters
    from selfchatbot.preprocessors import Preprocessors

    raw = read_parameters(dataset.raw / FILE_NAME, RawParameters)
    for part in summary["formats"]:
        preprocessor = Preprocessors[part["name"]].model_validate(raw.preprocessor_data.get(part["name"], {}))
        yield from gaps(preprocessor.read(dataset.raw / part["name"]), set(part["me"]))


def gaps(messages: Iterable[Message], me: set[str]) -> Iterator[tuple[int, float]]:
    """Characters and seconds of each message of mine that follows another one in the same chat."""
    for before, message in pairwise(messages):
        if before.author in me and message.author in me and before.chat == message.chat:
            seconds = (message.timestamp - before.timestamp).total_seconds()
            if 0 <= seconds <= MOST_GAP:
                yield len(message.content), seconds
