"""What a run measures of its steps: losses until they are logged, and speed."""

import statistics
from collections import deque
from typing import Any

from selfchatbot import distributed

RECENT_STEPS = 20
"""The remaining time is extrapolated from this many steps: the speed of a shared machine changes."""


class Meter:
    """Adds up what steps measured, by name, until it is taken for a log."""

    def __init__(self) -> None:
        self._tokens = 0
        self._seconds = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT_STEPS)
        self._sums: dict[str, float] = {}
        self._steps = 0

    def add(self, tokens: int, seconds: float, **measured: float) -> None:
        """Count a step of so many tokens without padding; ``measured`` has the same names until the next `restart`."""
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in measured.items()}
        self._steps += 1
        self._tokens += tokens
        self._seconds += seconds
        self._recent.append(seconds)

    def take(self) -> dict[str, float]:
        """The mean of each value over the steps since the last call and over all processes."""
        means = {name: total / self._steps for name, total in self._over_processes().items()}
        self._sums, self._steps = {}, 0
        return means

    def restart(self) -> None:
        """Forget what was not taken and the recent speed: steps of another kind begin."""
        self._sums, self._steps = {}, 0
        self._recent.clear()

    @property
    def tokens_per_second(self) -> float:
        return self._tokens / max(self._seconds, 1e-9)

    @property
    def seconds_per_step(self) -> float:
        """Of recent steps."""
        return statistics.fmean(self._recent)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON values."""
        sums = self._over_processes()
        return {"tokens": self._tokens, "seconds": self._seconds, "sums": sums, "steps": self._steps}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""
        self._tokens, self._seconds = state["tokens"], state["seconds"]
        self._sums, self._steps = state["sums"], state["steps"]

    def _over_processes(self) -> dict[str, float]:
        return {name: distributed.total(value) / distributed.world_size() for name, value in self._sums.items()}
