"""What the page is made of: sections with tables and plots, and tiles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from selfchatbot.likeness.speakers import SPEAKER_NAMES, Speaker
from selfchatbot.statistics import Interval

Rows = list[tuple[str, ...]]


class Tile(NamedTuple):
    """One figure at the top of the page."""

    value: str
    label: str
    note: str
    """What to compare it with."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures as text."""

    kind: ClassVar[Literal["table"]] = "table"
    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


class Bar(NamedTuple):
    """A row of a forest plot."""

    name: str
    speaker: Speaker
    """Decides the colour."""
    interval: Interval
    text: str


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """Intervals on an axis from 0, or about 0.5, to 1."""

    kind: ClassVar[Literal["forest"]] = "forest"
    caption: str
    bars: Sequence[Bar]
    from_half: bool = False
    """Whether the axis begins at 0.5, or lower where an interval does, instead of 0."""


class StackedRow(NamedTuple):
    """Bars of several speakers on one axis; lengths are in per cent of it."""

    label: str
    bars: Sequence[tuple[Speaker, float, str]]
    """Speaker, length and text."""
    chance: float
    """Where the mark is."""


@dataclass(frozen=True, slots=True)
class StackedBars:
    """Rows with a bar for each speaker but me, each row on its own scale."""

    kind: ClassVar[Literal["bars"]] = "bars"
    caption: str
    rows: Sequence[StackedRow]


@dataclass(frozen=True, slots=True)
class Section:
    """A paragraph, which may be empty, and what follows it."""

    text: str
    content: Sequence[Table | ForestPlot | StackedBars]

    @property
    def is_plot(self) -> bool:
        """Plots come before tables on the page."""
        return any(block.kind != "table" for block in self.content)


def bars(findings: Mapping[Speaker, Interval], text: Callable[[Interval], str]) -> list[Bar]:
    """One bar for each speaker."""
    return [
        Bar(name.name, speaker, interval, text(interval))
        for speaker, name in SPEAKER_NAMES.items()
        if (interval := findings.get(speaker))
    ]


def percent_of_axis(value: float, low: float, high: float) -> float:
    """The position of ``value`` between ``low`` (0) and ``high`` (100)."""
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)
