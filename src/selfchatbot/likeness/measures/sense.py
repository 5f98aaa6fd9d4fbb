"""Makes sense: does a larger language model find a reply as sensible as the one that I really wrote there?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from selfchatbot.likeness.measures.base import Explanation, Figure, Measure, Priority, Rule, SpeakerMeasure
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.phrasing import of_10, percent
from selfchatbot.likeness.report.sections import ForestPlot, Section, Table, Tile, bars
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.run.judging import CONTROLS, MAX_CONTEXTS
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.statistics import Interval, bootstrap_groups, mean_interval

NO_SENSE = 1 / 3
"""Preferred to mine less often than this, half of the replies are nonsense to readers (docs/likeness.md)."""
CONTROL_NAMES = {
    "exchanged": "your replies in other places",
    "shuffled": "your replies with the words shuffled",
    "hot": "the model at temperature 1.5",
}


class Reader(Part):
    """The judge, and whether it can see."""

    judge: str = Field(description="The larger model that read the replies: as given to --judge, or the base model.")
    contexts: int = Field(description="Number of places in which it read the replies.")
    controls: dict[str, Interval] = Field(
        description="Share of places where it prefers my `exchanged` or `shuffled` reply, or what the model says when "
        "it is `hot` (temperature 1.5), to the real one: 0.5 would be blind, 0 sees everything."
    )
    sees: bool = Field(description="Whether all controls are below 0.5, by their intervals.")


def preferred(scores: Sequence[float], mine: Sequence[float], conversations: Sequence[int], seed: int) -> Interval:
    """Share of places where a reply has a higher score than mine; equal ones count half."""
    wins = [float(np.sign(one - other) + 1) / 2 for one, other in zip(scores, mine, strict=True)]
    return mean_interval(wins, bootstrap_groups(conversations), seed)


class ReaderMeasure(Measure[Reader]):
    """The controls of the judge."""

    key = "reader"
    explanation = Explanation(
        title="Can the judge see?",
        what="The judge also reads replies that make no sense on purpose: yours in the place of others, yours with "
        "their words shuffled, and the model's at temperature 1.5. Where it doesn't find the real ones better, it is "
        "too weak to tell, and its opinion of the model counts for nothing.",
        formula="share of places where score(control) > score(yours)",
        source="negative controls",
        good="Far below 50 %: close to 0 for shuffled words, 30 to 40 % for exchanged replies, as many of them would "
        "fit anywhere.",
        fools="A judge may see nonsense and still miss who is who, or what was said an hour ago.",
    )

    def measure(self, inputs: Inputs) -> Reader | None:
        judged = inputs.judged
        if judged is None:
            return None
        places = [inputs.conversations[number] for number in judged.contexts]
        controls = {}
        for name, parts in CONTROLS.items():
            scores = [score for part in parts for score in judged.scores(part)]
            controls[name] = preferred(scores, judged.scores("me") * len(parts), places * len(parts), inputs.seed)
        return Reader(
            judge=judged.judge,
            contexts=len(places),
            controls=controls,
            sees=all(control.high < 0.5 for control in controls.values()),
        )

    def warning(self, findings: Reader) -> str | None:
        """The judge is blind."""
        if findings.sees:
            return None
        more = "" if findings.contexts >= MAX_CONTEXTS else ", or more test messages (--contexts)"
        return (
            f"The judge {judge_name(findings.judge)} can't tell sense from nonsense in these chats: name a larger one "
            f"with --judge{more}."
        )

    def section(self, findings: Reader) -> Section:
        rows = [(CONTROL_NAMES[name], percent(interval)) for name, interval in findings.controls.items()]
        return Section(
            f"{judge_name(findings.judge)} read {findings.contexts} places. It has to find nonsense worse than your "
            "own words.",
            [Table("Share of places where it prefers them to your real reply", ("control", "preferred"), rows)],
        )


def judge_name(judge: str) -> str:
    """The name of a file or folder, without the way to it."""
    return Path(judge).name if Path(judge).exists() else judge


def makes_no_sense(findings: Mapping[Speaker, Interval]) -> bool:
    """Whether the judge prefers the model's reply in less than a third of the places, beyond chance."""
    return "model" in findings and findings["model"].high < NO_SENSE


def little_sense(findings: Mapping[Speaker, Interval], run: Run) -> str | None:
    """The judge prefers the model's reply in less than a third of the places."""
    if not makes_no_sense(findings):
        return None
    temperature, guidance = run.number("temperature"), run.number("guidance")
    if temperature is not None and temperature > 0.6:
        return f"Many replies make little sense: a temperature of 0.4 (now {temperature:g}) strays less."
    if guidance is not None and guidance < 0.5:
        return f"Many replies make little sense: `guidance` 0.5 (now {guidance:g}) keeps to the conversation."
    return "Many replies make little sense: a larger base model understands more than any setting can."


class SenseMeasure(SpeakerMeasure[Interval]):
    """Share of places where the judge finds a reply more sensible than mine."""

    key = "sense"
    explanation = Explanation(
        title="Makes sense",
        what="A larger language model reads the end of the conversation and two replies, yours and the speaker's, as "
        "a plain transcript. Which one does it find more sensible? Length hardly matters. What your contacts wrote is "
        "read as a reply to what came before it. The model is the one that --judge names; without it, the base model, "
        "where that has four times the parameters of the embedded one.",
        formula="score = (log P(reply | conversation) by the judge − the same by a small model) / √tokens; share of "
        "places where score(speaker) > score(yours)",
        source="Li et al. 2022, “Contrastive Decoding”; compared with blind readers, see above",
        good="Near 50 %: as sensible as you are.",
        fools="A judge is partial to what it would write itself: above 50 % a model of the judge's own family isn't "
        "more sensible than you. Among the replies of one model it hardly agrees with readers (rank correlation about "
        "0.1): it tells models and settings apart, not single replies.",
    )
    summary = column = Figure("makes sense", percent)
    rules = (
        Rule(
            Priority.UNDERSTANDING,
            "a temperature of 0.4, `guidance` 0.5, or a larger base model for sense",
            little_sense,
        ),
    )

    def measure(self, inputs: Inputs) -> dict[Speaker, Interval]:
        judged, reader = inputs.judged, ReaderMeasure().measure(inputs)
        if judged is None or reader is None or not reader.sees:
            return {}
        places = [inputs.conversations[number] for number in judged.contexts]
        return {
            speaker: preferred(judged.scores(speaker), judged.scores("me"), places, inputs.seed)
            for speaker in inputs.answers
            if speaker != "me"
        }

    def headline(self, findings: Mapping[Speaker, Interval]) -> str | None:
        """Sense comes first: without it, a likeness of words is worth nothing."""
        model = findings.get("model")
        if model is None:
            return None
        of_ten = f"a judge, which is a larger model, prefers them to yours {of_10(model.value)} times, where 5 is equal"
        if makes_no_sense(findings):
            return f"Many of its replies make no sense: {of_ten}."
        if model.high < 0.5:
            return f"Its replies make less sense than yours: {of_ten}."
        return f"Its replies make about as much sense as yours: {of_ten}."

    def tile(self, findings: Mapping[Speaker, Interval]) -> Tile | None:
        model = findings.get("model")
        return (
            Tile(of_10(model.value), "makes sense", "times a judge prefers its reply to yours; 5 is equal")
            if model
            else None
        )

    def section(self, findings: Mapping[Speaker, Interval]) -> Section:
        return Section(
            "A larger language model compared each reply with yours in the same place. This is how often it found the "
            "other one more sensible: 50 % is as sensible as you.",
            [ForestPlot("Share of places where the judge prefers it to your reply", bars(findings, percent))],
        )
