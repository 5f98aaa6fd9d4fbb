"""What a measure of likeness is: everything about one measure, from its computation to the advice that follows.

A measure is one file in this folder. It holds the model of its result, the computation, the explanation, and what the
reports show. It is listed in `registry.MEASURES`, and its result is a field of `selfchatbot.likeness.result`. Every
report loops over the registry and leaves out what a measure doesn't provide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.report.sections import Section, Tile
from selfchatbot.likeness.run.inputs import EvaluationData, Inputs, ModelRun
from selfchatbot.likeness.speakers import SPEAKER_NAMES, Speaker
from selfchatbot.messages import ChatMessages

Findings = TypeVar("Findings")
"""All that one measure found: a mapping by speaker, or one result for the whole evaluation."""
Result = TypeVar("Result")
"""What one measure found for one speaker."""


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
    """In a few words, for the table in docs/likeness.md, which is generated."""
    sentence: Callable[[Findings, Run], str | None]
    """The advice with its figures, or None where the condition doesn't hold. Its docstring is the condition."""


class Measure(Generic[Findings]):
    """A measure with one result for the whole evaluation: the field ``key`` of `Likeness`.

    Only ``key``, ``explanation`` and `measure` are required. The reports ask for nothing where nothing was found.
    """

    key: str
    explanation: Explanation
    step: str = ""
    """What `run_model` does, for the progress bar: "reads the test conversations"."""
    rules: tuple[Rule[Findings], ...] = ()

    def prompts(self, data: EvaluationData) -> list[ChatMessages]:
        """Conversations that both models answer for this measure, besides the contexts."""
        return []

    def run_model(self, run: ModelRun) -> Any:
        """Whatever has to be computed while a model is loaded; `ModelOutputs.computed` keeps it."""
        return None

    def measure(self, inputs: Inputs) -> Findings | None:
        """The result, once both models have run; None where it wasn't asked for."""
        raise NotImplementedError

    def headline(self, findings: Findings) -> str | None:
        """A sentence at the beginning of the verdict, if this measure decides about it; in the registry's order."""
        return None

    def warning(self, findings: Findings) -> str | None:
        """A sentence of the verdict about something that must not be overlooked."""
        return None

    def tile(self, findings: Findings) -> Tile | None:
        """The model's figure for the top of the page."""
        return None

    def section(self, findings: Findings) -> Section | None:
        """The measure's section of the page."""
        return None


class SpeakerMeasure(Measure[Mapping[Speaker, Result]]):
    """A measure with a result for each speaker it applies to: the field ``key`` of `SpeakerResult`."""

    summary: Figure[Result] | None = None
    """Row of the terminal's summary."""
    column: Figure[Result] | None = None
    """Column in the comparison of runs, for the model."""


def named(findings: Mapping[Speaker, Result]) -> list[tuple[str, Result]]:
    """The results in the order of the reports, each with its speaker's name."""
    return [(name.name, findings[speaker]) for speaker, name in SPEAKER_NAMES.items() if speaker in findings]
