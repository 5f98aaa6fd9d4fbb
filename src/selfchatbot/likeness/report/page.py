"""``likeness.html``: one evaluation as one page that needs nothing else, no script and nothing from elsewhere."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from selfchatbot.files import write_text
from selfchatbot.likeness.report.advice import advice
from selfchatbot.likeness.report.measure_docs import MEASURES
from selfchatbot.likeness.report.phrasing import SMALLEST, describe, largest
from selfchatbot.likeness.report.phrasing import percent as share
from selfchatbot.likeness.report.tables import NAMES, compared, tables, when
from selfchatbot.likeness.report.terminal import faults, how_alike, in_training, number, percent, warnings
from selfchatbot.likeness.result import Interval, Likeness, Speaker, SpeakerResult
from selfchatbot.style import messages_of

FILE_NAME = "likeness.html"
CODE = re.compile(r"`([^`]*)`")
FIGURE = re.compile(r"[\d.]+ %|\([\d.–-]+\)")


@dataclass(frozen=True, slots=True)
class Example:
    """One context and what was said to it: the only private text on the page."""

    said: str
    """The last turn of the others."""
    replies: Mapping[Speaker, str]


class Bar(NamedTuple):
    """A row of a plot."""

    name: str
    speaker: Speaker
    """Whose colour it has."""
    interval: Interval
    text: str


def write_page(
    path: Path,
    result: Likeness,
    runs: Sequence[Likeness] = (),
    examples: Sequence[Example] = (),
    misses: Sequence[Example] = (),
) -> None:
    """Write the page, whole or not at all.

    ``runs`` are all evaluations of the dataset, oldest first, this one included; ``examples`` are shown as they come,
    ``misses`` are those that were told apart most surely, worst first. Without both, no word of a message is in it.
    """
    environment = Environment(
        loader=PackageLoader("selfchatbot.likeness.report", "assets"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(place=place, code=_code, unbroken=_unbroken, bubbles=messages_of)
    template = environment.get_template("page.html.jinja")
    write_text(path, template.render(_view(result, runs), examples=examples, misses=misses))


def place(value: float, low: float, high: float) -> float:
    """Where ``value`` stands from ``low`` (0) to ``high`` (100)."""
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)


def _view(result: Likeness, runs: Sequence[Likeness]) -> dict[str, Any]:
    """What the template shows besides examples."""
    head, rows = compared(runs)
    auc = [
        bar._replace(name="you, by halves") if bar.speaker == "me" else bar
        for bar in _bars(result, lambda part: part.auc, number)
    ]
    over_time = [
        Bar(when(run), "model", model.auc, number(model.auc))
        for run in runs
        if (model := run.speakers.get("model")) and model.auc
    ]
    return {
        "result": result,
        "names": NAMES,
        "measures": MEASURES,
        "verdict": how_alike(result),
        "warnings": warnings(result),
        "tiles": _tiles(result),
        "advice": advice(result),
        "auc": auc,
        "authorship": _bars(result, lambda part: part.authorship, percent),
        "differences": _differences(result),
        "style": _style(result),
        "tables": tables(result),
        "runs": {"bars": over_time, "head": head, "rows": rows} if len(runs) > 1 else None,
        # 0.5 is the middle of what chance makes: an interval may begin below it.
        "low": min(0.5, *(0.1 * int(10 * bar.interval.low) for bar in (*auc, *over_time))) if auc else 0.5,
        "settings": [(name, "" if value is None else str(value)) for name, value in result.run.parameters.items()],
    }


def _bars(
    result: Likeness, value: Callable[[SpeakerResult], Interval | None], text: Callable[[Interval], str]
) -> list[Bar]:
    return [
        Bar(name, speaker, interval, text(interval))
        for speaker, name in NAMES.items()
        if (part := result.speakers.get(speaker)) and (interval := value(part))
    ]


def _tiles(result: Likeness) -> list[tuple[str, str, str]]:
    """The model's most important figures: value, name, what to compare it with."""
    model, me = result.speakers.get("model"), result.speakers.get("me")
    if model is None:
        return []
    found = []
    if model.auc:
        found.append((f"{model.auc.value:.2f}", "told apart", "0.5 is chance, 1 always"))
    if model.authorship:
        yours = f"of yours, {share(me.authorship.value)}" if me and me.authorship else ""
        found.append((share(model.authorship.value), "taken for you", yours))
    if model.fitting:
        note = f"1 is always first, a guess {model.fitting.chance:.2f}"
        found.append((f"{model.fitting.mean_reciprocal_rank.value:.2f}", "fits the context", note))
    if model.copying:
        yours = f"you repeat {share(me.copying.verbatim.value)}" if me and me.copying else ""
        found.append((share(model.copying.verbatim.value), "copied", yours))
    if model.leaks:
        base = in_training(result.speakers.get("base")).total()
        found.append((str(in_training(model).total()), "private things", f"base model, by chance, {base}"))
    return [*found, (str(faults(model)), "faults", f"in {model.health.replies} replies; should be 0")]


def _differences(result: Likeness) -> list[tuple[str, str]]:
    """Beyond what chance makes between me and me: sentences, and how many times as far."""
    mine, its = _features(result, "me"), _features(result, "model")
    return [
        (
            describe(name, mine[name], its[name], "model"),
            f"{its[name].distance.value / max(mine[name].distance.value, SMALLEST):.1f}",
        )
        for name in largest(mine, its)
        if its[name].distance.value > mine[name].distance.high
    ]


def _style(result: Likeness) -> list[dict[str, Any]]:
    """Of each feature the distances of all speakers as shares of the longest bar, the largest of the model first."""
    mine, its = _features(result, "me"), _features(result, "model")
    rows = []
    for name in largest(mine, its, len(mine)):
        distances = {
            speaker: features[name].distance
            for speaker in NAMES
            if speaker != "me" and name in (features := _features(result, speaker))
        }
        chance = mine[name].distance.high
        longest = max(chance, SMALLEST, *(distance.value for distance in distances.values()))
        bars = [
            (speaker, place(distance.value, 0, longest), number(distance)) for speaker, distance in distances.items()
        ]
        rows.append({"label": name.replace("_", " "), "bars": bars, "chance": place(chance, 0, longest)})
    return rows


def _features(result: Likeness, speaker: Speaker) -> Mapping[str, Any]:
    part = result.speakers.get(speaker)
    return part.style if part else {}


def _code(sentence: str) -> Markup:
    """Names of parameters stand between backticks, as in Markdown."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(sentence))))


def _unbroken(text: str) -> Markup:
    """An interval, or a share and its sign, is not broken at the end of a line."""
    return Markup(FIGURE.sub(r"<span>\g<0></span>", str(escape(text))))


__all__ = ["Example", "write_page"]
