"""Style: what can be counted in replies, compared with mine; `likeness.text` has the features and their distances."""

import math
from collections.abc import Mapping

from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure
from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.report.phrasing import now, number, share
from selfchatbot.likeness.report.sections import Section, StackedBars, StackedRow, Table, percent_of_axis
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.speakers import SPEAKER_NAMES, Speaker
from selfchatbot.likeness.text.distances import DISTINCT_WORDS, DISTINCT_WORDS_SAMPLE, FeatureResult, measure_style
from selfchatbot.likeness.text.features import Reference, style_features

FEATURES_BY_NAME = {feature.name: feature for feature in style_features(Reference(frozenset(), frozenset()))}
Features = Mapping[str, FeatureResult]
MIN_CHANCE = 0.01
"""A smaller distance by chance counts as this much: below it, distances are noise."""
NAMED_DIFFERENCES = 10
VARIETY_MARGIN = 0.1
"""As a share of mine: two halves of one person's replies differ by as much."""
WORDS_PER_TEMPERATURE = 1.0
"""d ln(different words) / d temperature: 1.05 from 0.7 to 1.2 with the sample (docs/likeness.md)."""
MAX_TEMPERATURE_CHANGE = 0.3
"""That slope doesn't hold further."""
MAX_SENSIBLE_TEMPERATURE = 0.6
"""Readers found sense in half of the replies up to here, and in a sixth at 1 (docs/likeness.md)."""
MIN_TEMPERATURE = 0.05
"""0 isn't just colder: it chooses words in another way."""


def times_chance(name: str, mine: Features, theirs: Features) -> float:
    """A feature's distance from mine, divided by the distance that chance makes between two samples of mine."""
    return theirs[name].distance.value / max(mine[name].distance.value, MIN_CHANCE)


def largest(mine: Features, theirs: Features, count: int = NAMED_DIFFERENCES) -> list[str]:
    """Names of the features that differ most, by `times_chance`."""
    names = mine.keys() & theirs.keys()
    return sorted(names, key=lambda name: (-times_chance(name, mine, theirs), name))[:count]


def describe(name: str, mine: FeatureResult, theirs: FeatureResult, speaker: Speaker) -> str:
    """One feature of another speaker compared with mine, as a sentence; for classes, the one that differs most.

    "you end 3 % of messages with a full stop, the model 41 %"
    """
    who, whose, _ = SPEAKER_NAMES[speaker]
    me, them, what = mine.mean.value, theirs.mean.value, ""
    if name == DISTINCT_WORDS:
        return f"you use {me:.0f} different words in {DISTINCT_WORDS_SAMPLE}, {who} {them:.0f}"
    if classes := sorted(mine.bins.keys() | theirs.bins.keys()):
        what = max(classes, key=lambda bin: abs(mine.bins.get(bin, 0) - theirs.bins.get(bin, 0)))
        me, them = mine.bins.get(what, 0.0), theirs.bins.get(what, 0.0)
    feature = FEATURES_BY_NAME[name]
    me_text, them_text = (f"{value:.1f}" if feature.kind == "number" else share(value) for value in (me, them))
    return feature.sentence.format(me=me_text, them=them_text, who=who, whose=whose, what=what)


def match_variety(findings: Mapping[Speaker, dict[str, FeatureResult]], run: Run) -> str | None:
    """More than 10 % more or fewer different words than the person uses, and it takes no temperature above 0.6."""
    mine, its = (findings.get(speaker, {}).get(DISTINCT_WORDS) for speaker in ("me", "model"))
    temperature = run.number("temperature")
    if temperature is None or not mine or not its or not mine.mean.value or not its.mean.value:
        return None
    ratio = its.mean.value / mine.mean.value
    if abs(ratio - 1) <= VARIETY_MARGIN:
        return None
    change = -math.log(ratio) / WORDS_PER_TEMPERATURE
    change = max(-MAX_TEMPERATURE_CHANGE, min(MAX_TEMPERATURE_CHANGE, change))
    wanted = max(MIN_TEMPERATURE, round((temperature + change) / 0.05) * 0.05)
    if wanted > MAX_SENSIBLE_TEMPERATURE:
        return None
    return (
        f"It uses {share(abs(ratio - 1))} {'fewer' if ratio < 1 else 'more'} different words than you: temperature "
        f"{wanted:.2f}{now(run, 'temperature')} should about match your variety."
    )


def too_random(_: Mapping[Speaker, dict[str, FeatureResult]], run: Run) -> str | None:
    """The temperature is above 0.7."""
    temperature = run.number("temperature")
    if temperature is None or temperature <= MAX_SENSIBLE_TEMPERATURE + 0.1:
        return None
    return (
        f"Few replies make sense at such a temperature{now(run, 'temperature')}, however much they sound like you: try "
        "temperature 0.4 and top_p 0.9."
    )


class StyleMeasure(SpeakerMeasure[dict[str, FeatureResult]]):
    """Features by name."""

    key = "style"
    explanation = Explanation(
        title="Style",
        what="Everything that can be counted in replies, messages, words or letters: length, capitals, punctuation, "
        "emoji, laughter, questions, greetings, unusual words, frequent words, scripts, variety. Each speaker's "
        "distribution is compared with yours.",
        formula="Classes and shares: Jensen–Shannon distance √(½ KL(p‖m) + ½ KL(q‖m)) in bits, m = ½ (p + q), 0 to 1. "
        "Numbers: Wasserstein-1 distance of log(1 + n), where 0.69 is twice or half. Different words: the expected "
        "number in a sample of fixed size. “Times chance”: the distance divided by the median distance between two "
        "resamples of your own replies.",
        source="Endres and Schindelin 2003 (Jensen–Shannon); Vallender 1974 (Wasserstein-1 in one dimension); "
        "Hurlbert 1971 (different words)",
        good="About 1 times chance, in every row.",
        fools="Each feature is compared by itself: a model can get all of them right and use them in the wrong places. "
        "Rare features (a laugh in 2 % of messages) need many replies to show at all. Unusual words include names and "
        "topics as well as typos. Laughter, greetings and emoticons are recognised in common spellings only. Scripts "
        "are writing systems: two languages of one script differ in frequent words. Out of twenty features, one "
        "exceeds chance by chance.",
    )
    summary = Figure(
        "characters", lambda features: number(features["characters"].mean, 0) if "characters" in features else ""
    )
    rules = (
        Rule(Priority.SAMPLING, "a temperature at which replies make sense", too_random),
        Rule(Priority.SAMPLING, "another temperature", match_variety),
    )

    def measure(self, inputs: Inputs) -> dict[Speaker, dict[str, FeatureResult]]:
        return measure_style(inputs.answers, inputs.groups, inputs.features, inputs.seed)

    def section(self, findings: Mapping[Speaker, dict[str, FeatureResult]]) -> Section | None:
        mine, its = findings.get("me", {}), findings.get("model", {})
        names = largest(mine, its, len(mine))
        if not names:
            return None
        differences = [
            (describe(name, mine[name], its[name], "model"), f"{times_chance(name, mine, its):.1f}")
            for name in names[:NAMED_DIFFERENCES]
            if its[name].distance.value > mine[name].distance.high
        ]
        caption = f"The largest differences between you and the model, at most {NAMED_DIFFERENCES}"
        table = Table(caption, ("difference", "times chance"), differences)
        chart = StackedBars(
            "How far each feature is from yours, each row on its own scale: from the top, the model, the base model, "
            "your contacts. Left of the mark is what chance makes of your own replies",
            [_row(name, findings) for name in names],
        )
        text = "" if differences else "Nothing differs by more than chance makes of your own replies."
        return Section(text, [table, chart] if differences else [chart])


def _row(name: str, findings: Mapping[Speaker, dict[str, FeatureResult]]) -> StackedRow:
    """One feature's distances, as shares of the longest bar."""
    distances = {
        speaker: features[name].distance
        for speaker in SPEAKER_NAMES
        if speaker != "me" and name in (features := findings.get(speaker, {}))
    }
    chance = findings["me"][name].distance.high
    longest = max(chance, MIN_CHANCE, *(distance.value for distance in distances.values()))
    bars = [
        (speaker, percent_of_axis(distance.value, 0, longest), number(distance))
        for speaker, distance in distances.items()
    ]
    return StackedRow(name.replace("_", " "), bars, percent_of_axis(chance, 0, longest))
