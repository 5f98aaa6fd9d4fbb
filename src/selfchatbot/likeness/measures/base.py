"""What a measure of likeness is: everything about one measure, from its computation to the advice that follows.

A measure is one file in this folder. It holds the model of its result, the computation, the explanation, and what the
reports show. It is listed in `registry.MEASURES`, and its result is a field of `selfchatbot.likeness.result`. Every
report loops over the registry and leaves out what a measure doesn't provide.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.run.inputs import EvaluationData, Inputs
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.speakers import NAMES, ModelSpeaker, Speaker
from selfchatbot.messages import ChatMessages
from selfchatbot.statistics import Interval

Findings = TypeVar("Findings")
"""All that one measure found: a mapping by speaker, or one result for the whole evaluation."""
Result = TypeVar("Result")
"""What one measure found for one speaker."""
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A measure in words, for the page and for docs/likeness.md, which is generated from it."""

    title: str
    what: str
    formula: str
    source: str
    good: str
    fools: str

    def parts(self) -> list[tuple[str, str]]:
        """Everything but the title, with headings."""
        return [
            ("What", self.what),
            ("Formula", self.formula),
            ("Source", self.source),
            ("Good is", self.good),
            ("How it can fool you", self.fools),
        ]


@dataclass(frozen=True, slots=True)
class Figure(Generic[Result]):
    """One figure of a speaker: a row of the terminal's summary, or a column in the comparison of runs."""

    label: str
    text: Callable[[Result], str]


class Tile(NamedTuple):
    """A figure of the model at the top of the page."""

    value: str
    label: str
    note: str
    """What to compare it with."""


class Bar(NamedTuple):
    """A row of a forest plot."""

    name: str
    speaker: Speaker
    """Decides the colour."""
    interval: Interval
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Figures as text."""

    kind: ClassVar[Literal["table"]] = "table"
    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """Intervals from 0 or 0.5 to 1."""

    kind: ClassVar[Literal["forest"]] = "forest"
    caption: str
    bars: list[Bar]
    from_half: bool = False
    """Whether the axis begins at 0.5, or lower where an interval does, instead of 0."""


@dataclass(frozen=True, slots=True)
class StackedBars:
    """Rows of one bar for each speaker but me, each row on its own scale, with a mark for chance."""

    kind: ClassVar[Literal["bars"]] = "bars"
    caption: str
    rows: list[dict[str, Any]]
    """``label``; ``bars``: speaker, length in per cent and text; ``chance``: the mark, in per cent."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page; its title and "how this is measured" come from the explanation."""

    text: str
    figures: Sequence[Table | ForestPlot | StackedBars]

    @property
    def is_plot(self) -> bool:
        """Plots stand above the examples, tables below them."""
        return any(figure.kind != "table" for figure in self.figures)


class Priority(IntEnum):
    """Order of advice: what can do harm comes first."""

    PRIVACY = 1
    MEMORIZATION = 2
    TRAINING = 3
    SAMPLING = 4
    UNDERSTANDING = 5
    DATA = 6


@dataclass(frozen=True, slots=True)
class Rule(Generic[Findings]):
    """A piece of advice, and the condition for it."""

    priority: Priority
    advice: str
    when: str
    """Both are a row of the table in docs/likeness.md, which is generated."""
    sentence: Callable[[Findings, Run], str | None]
    """The advice with its figures, or None where the condition doesn't hold."""


class Measure(Generic[Findings]):
    """A measure with one result for the whole evaluation: the field ``key`` of `Likeness`.

    Only ``key``, ``explanation`` and `measure` are required.
    """

    key: str
    explanation: Explanation
    step: str = ""
    """What `run_model` does, for the progress bar: "reads the test conversations"."""
    rules: tuple[Rule[Findings], ...] = ()

    def prompts(self, data: EvaluationData) -> list[ChatMessages]:
        """Conversations that both models answer for this measure, besides the contexts."""
        return []

    def run_model(
        self,
        pair: ModelPair,
        speaker: ModelSpeaker,
        data: EvaluationData,
        replies: Sequence[str],
        on_progress: OnProgress,
    ) -> Any:
        """Whatever has to be computed while this model is loaded; ``replies`` are its answers to the contexts."""
        return None

    def measure(self, inputs: Inputs) -> Findings:
        """The result, once both models have run."""
        raise NotImplementedError

    def headline(self, findings: Findings) -> str | None:
        """The first sentence of the verdict, if this measure decides it; the first one in the registry wins."""
        return None

    def warning(self, findings: Findings) -> str | None:
        """A sentence of the verdict about something that must not be overlooked."""
        return None

    def tile(self, findings: Findings) -> Tile | None:
        """The model's figure for the top of the page."""
        return None

    def section(self, findings: Findings) -> Section | None:
        """The measure's part of the page; None where there is nothing to show."""
        return None


class SpeakerMeasure(Measure[Mapping[Speaker, Result]]):
    """A measure with a result for each speaker it applies to: the field ``key`` of `SpeakerResult`."""

    summary: Figure[Result] | None = None
    """Row of the terminal's summary."""
    column: Figure[Result] | None = None
    """Column in the comparison of runs, for the model."""


def named(findings: Mapping[Speaker, Result]) -> list[tuple[str, Result]]:
    """The results in the order of the reports, each with its speaker's name."""
    return [(name.name, findings[speaker]) for speaker, name in NAMES.items() if speaker in findings]


def bars(findings: Mapping[Speaker, Interval], text: Callable[[Interval], str]) -> list[Bar]:
    """One bar for each speaker."""
    return [
        Bar(name.name, speaker, interval, text(interval))
        for speaker, name in NAMES.items()
        if (interval := findings.get(speaker))
    ]


def percent_of_axis(value: float, low: float, high: float) -> float:
    """Where ``value`` stands between ``low`` (0) and ``high`` (100)."""
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)
