"""``likeness.html``: one evaluation as a single page that loads nothing from elsewhere and runs no script."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from selfchatbot.display import visible
from selfchatbot.files import write_text
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.advice import advice
from selfchatbot.likeness.report.runs import comparison
from selfchatbot.likeness.report.sections import ForestPlot, Section, percent_of_axis
from selfchatbot.likeness.report.verdict import opening, warnings
from selfchatbot.likeness.result import Likeness
from selfchatbot.likeness.speakers import SPEAKER_NAMES, Speaker
from selfchatbot.style import messages_of

PAGE_FILE = "likeness.html"
EXAMPLES_SHOWN = 4
"""The others unfold."""
CODE = re.compile(r"`([^`]*)`")
UNBROKEN = re.compile(r"[\d.]+ %|\([\d.–-]+\)|--[a-z]+")


@dataclass(frozen=True, slots=True)
class Example:
    """One message and the replies to it: the only private text on the page."""

    message: str
    """The last turn of the others."""
    replies: Mapping[Speaker, str]
    sense: Mapping[Speaker, int] = field(default_factory=dict)
    """Of 100 replies of mine, how many the judge finds less sensible; empty without a judge that sees."""


def write_page(
    path: Path,
    result: Likeness,
    runs: Sequence[Likeness] = (),
    examples: Sequence[Example] = (),
    misses: Sequence[Example] = (),
) -> None:
    """Write the page, atomically.

    ``runs``: all evaluations of the dataset, oldest first, including this one. ``misses``: replies of the model that
    were easiest to tell apart, worst first. Without ``examples`` and ``misses``, the page holds no word of a message.
    """
    environment = Environment(
        loader=PackageLoader("selfchatbot.likeness.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: (
            visible(value) if type(value) is str else value
        ),  # not Markup, which is made of visible text
    )
    environment.filters.update(place=percent_of_axis, code=_code, unbroken=_unbroken, bubbles=messages_of)
    found = [(measure, findings) for measure in MEASURES if (findings := result.findings(measure))]
    sections = [(measure, section) for measure, findings in found if (section := measure.section(findings))]
    compared = comparison(runs)
    page = environment.get_template("page.html.jinja").render(
        result=result,
        names={speaker: name.name for speaker, name in SPEAKER_NAMES.items()},
        headline=opening(result),
        warnings=warnings(result),
        tiles={measure.key: tile for measure, findings in found if (tile := measure.tile(findings))},
        advice=advice(result),
        plots=[(measure, section) for measure, section in sections if section.is_plot],
        tables=[(measure, section) for measure, section in sections if not section.is_plot],
        runs=compared,
        low=_axis_start([*(section for _, section in sections), *([compared] if compared else [])]),
        parameters=[(name, "" if value is None else str(value)) for name, value in result.run.parameters.items()],
        first=EXAMPLES_SHOWN,
        examples=examples,
        misses=misses,
    )
    write_text(path, page)


def _axis_start(sections: Sequence[Section]) -> float:
    """Where the axes begin that show from 0.5 on; lower where an interval does, as 0.5 is the middle of chance."""
    plots = [block for section in sections for block in section.content if isinstance(block, ForestPlot)]
    lows = [bar.interval.low for plot in plots if plot.from_half for bar in plot.bars]
    return min([0.5, *(math.floor(10 * low) / 10 for low in lows)])


def _code(sentence: str) -> Markup:
    """Names of parameters are between backticks, as in Markdown."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(visible(sentence)))))


def _unbroken(text: str) -> Markup:
    """Keep intervals, numbers with their per cent sign, and options such as --judge on one line."""
    return Markup(UNBROKEN.sub(r"<span>\g<0></span>", str(escape(visible(text)))))


__all__ = ["PAGE_FILE", "Example", "write_page"]
