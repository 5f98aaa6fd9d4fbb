"""The evaluations of one dataset, compared."""

from collections.abc import Sequence

from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.phrasing import number
from selfchatbot.likeness.report.sections import Bar, ForestPlot, Rows, Section, Table
from selfchatbot.likeness.result import Likeness

COMPARED = ("model", "training_replies", "contexts", "seed")
"""Fields of `Run` that are compared, besides its parameters."""


def comparison(runs: Sequence[Likeness]) -> Section | None:
    """A plot and a table of ``runs``, oldest first; None where there is only one."""
    if len(runs) < 2:
        return None
    bars = [
        Bar(_name(run), "model", model.auc, number(model.auc))
        for run in runs
        if (model := run.speakers.get("model")) and model.auc
    ]
    plot = ForestPlot("Told apart, by run, oldest first", bars, from_half=True)
    return Section("", [plot, _table(runs)])


def _table(runs: Sequence[Likeness]) -> Table:
    """What differed between the runs, and what came out: a column for each run, the newest first."""
    settings = [{**{name: getattr(run.run, name) for name in COMPARED}, **run.run.parameters} for run in runs]
    names = dict.fromkeys(name for one in settings for name in one)
    different = [name for name in names if len({str(one.get(name)) for one in settings}) > 1]
    figures = [
        (measure, figure) for measure in MEASURES if isinstance(measure, SpeakerMeasure) and (figure := measure.column)
    ]
    rows: Rows = [(name, *(str(one.get(name, "")) for one in reversed(settings))) for name in different]
    for measure, figure in figures:
        found = (run.findings(measure).get("model") for run in reversed(runs))
        rows.append((figure.label, *(figure.text(result) if result else "" for result in found)))
    head = ("", *map(_name, reversed(runs)))
    return Table("Every evaluation of this dataset that was kept in likeness/, the newest first", head, rows)


def _name(run: Likeness) -> str:
    """``warmer, 2026-11-24 12:40, best``: the training's name, if it has one, the time and the checkpoint."""
    name = f"{run.run.name}, " if run.run.name else ""
    return f"{name}{run.run.finished[:16].replace('T', ' ')}, {run.run.checkpoint}"


__all__ = ["comparison"]
