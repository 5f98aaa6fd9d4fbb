"""Figures as sentences: "you end 3 % of messages with a full stop, the model 41 %"."""

from collections.abc import Mapping

from selfchatbot.likeness.measures.features import DISTINCT, DISTINCT_AMONG, Reference, style_features
from selfchatbot.likeness.result import Feature, Speaker

FEATURES = {feature.name: feature for feature in style_features(Reference(frozenset(), frozenset()))}
WHO: dict[Speaker, tuple[str, str]] = {
    "model": ("the model", "the model's"),
    "base": ("the base model", "the base model's"),
    "control": ("your contacts", "theirs"),
}
SMALLEST = 0.01
"""A smaller distance than that is not told from none, whatever chance makes of it."""


def describe(name: str, mine: Feature, theirs: Feature, speaker: Speaker) -> str:
    """One feature of mine beside that of another speaker; of classes, the one that differs most."""
    who, whose = WHO[speaker]
    if name == DISTINCT:
        return f"you use {mine.mean.value:.0f} different words in {DISTINCT_AMONG}, {who} {theirs.mean.value:.0f}"
    me, them, what = mine.mean.value, theirs.mean.value, ""
    if classes := sorted(mine.bins.keys() | theirs.bins.keys()):
        what = max(classes, key=lambda bin: abs(mine.bins.get(bin, 0) - theirs.bins.get(bin, 0)))
        me, them = mine.bins.get(what, 0.0), theirs.bins.get(what, 0.0)
    feature = FEATURES[name]
    figures = (f"{value:.1f}" if feature.kind == "number" else percent(value) for value in (me, them))
    return feature.sentence.format(**dict(zip(("me", "them"), figures, strict=True)), who=who, whose=whose, what=what)


def largest(mine: Mapping[str, Feature], theirs: Mapping[str, Feature], count: int = 10) -> list[str]:
    """Names of the features that differ most: by how many times the distance that chance makes between me and me."""

    def times(name: str) -> float:
        return theirs[name].distance.value / max(mine[name].distance.value, SMALLEST)

    return sorted(mine.keys() & theirs.keys(), key=lambda name: (-times(name), name))[:count]


def percent(share: float) -> str:
    """With a decimal where it is a small one: ``0.4 %``, ``3 %``."""
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.0095 else f"{share:.0%}".replace("%", " %")
