"""How fast I type, from the times between consecutive messages of mine: a pause, and a time per character."""

from dataclasses import dataclass

MAX_GAP_SECONDS = 180.0
"""After a longer silence, I did something else in between."""
MIN_GAPS = 50
"""Gaps that are needed for a fit."""
MIN_SECONDS_PER_CHARACTER, MAX_SECONDS_PER_CHARACTER = 0.02, 1.0
"""Anything else is not typing."""
MIN_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class TypingGaps:
    """Sums over gaps. A gap: characters of a message of mine (x), seconds since the one before it, also mine (y)."""

    count: int = 0
    x: int = 0
    y: float = 0.0
    xx: int = 0
    xy: float = 0.0

    def add(self, characters: int, seconds: float) -> None:
        if 0 <= seconds <= MAX_GAP_SECONDS:
            self.count += 1
            self.x += characters
            self.y += seconds
            self.xx += characters * characters
            self.xy += characters * seconds

    def __add__(self, other: "TypingGaps") -> "TypingGaps":
        return TypingGaps(
            self.count + other.count, self.x + other.x, self.y + other.y, self.xx + other.xx, self.xy + other.xy
        )

    def pace(self) -> dict[str, float] | None:
        """``{"pause": seconds, "seconds_per_character": seconds}`` by least squares; None if there are too few gaps.

        Exports with times in whole minutes do no harm: the mean error of the differences is 0.
        """
        if self.count < MIN_GAPS:
            return None
        spread = self.count * self.xx - self.x**2
        slope = (self.count * self.xy - self.x * self.y) / spread if spread else 0.0
        slope = min(max(slope, MIN_SECONDS_PER_CHARACTER), MAX_SECONDS_PER_CHARACTER)
        pause = max((self.y - slope * self.x) / self.count, MIN_PAUSE_SECONDS)
        return {"pause": round(pause, 3), "seconds_per_character": round(slope, 4)}
