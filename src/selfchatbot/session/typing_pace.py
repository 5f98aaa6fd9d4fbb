"""How fast I type, so that replies take as long as I would need to write them."""

from dataclasses import dataclass

from selfchatbot.environment import Dataset
from selfchatbot.session.contacts import read_summary

MAX_WAIT_SECONDS = 8.0
"""Nobody has to wait longer than this for a message."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The default is average two-handed typing: 50 words per minute (Dhakal et al. 2018, CHI)."""

    pause: float = 1.0
    """Seconds before typing begins."""
    seconds_per_character: float = 0.24

    def seconds(self, message: str) -> float:
        """How long I need to write this message, at most ``MAX_WAIT_SECONDS``."""
        return min(self.pause + self.seconds_per_character * len(message), MAX_WAIT_SECONDS)


def learned_pace(dataset: Dataset) -> Pace:
    """My pace as preprocess measured it ("pace" in summary.json), else the default."""
    pace = read_summary(dataset.preprocessed).get("pace")
    if isinstance(pace, dict):
        values = (pace.get("pause"), pace.get("seconds_per_character"))
        if all(isinstance(value, int | float) and 0 <= value < 60 for value in values):
            return Pace(float(values[0]), float(values[1]))  # type: ignore[arg-type]
    return Pace()
