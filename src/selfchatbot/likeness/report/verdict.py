"""The verdict: a few sentences that need no statistics."""

from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.measures.sense import SenseMeasure, makes_no_sense
from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.result import Likeness
from selfchatbot.statistics import MIN_CONVERSATIONS

NOT_MEASURED = "Whether its replies make sense is not measured: read some of them, or name a larger model with --judge."


def verdict(result: Likeness) -> str:
    """Whether it makes sense, if a judge that sees was asked; how alike its wording is; what must not be overlooked."""
    return " ".join([opening(result), *warnings(result)])


def opening(result: Likeness) -> str:
    """What is missing for a verdict, or the sentences of the measures that have one.

    A judge that is blind has none, and that is said. Where a judge finds no sense, alike wording is no comfort.
    """
    if lacks := missing(result.run):
        return lacks
    sees = result.reader is not None and result.reader.sees
    asked = [measure for measure in MEASURES if sees or not isinstance(measure, SenseMeasure)]
    if sees and makes_no_sense(result.findings(SenseMeasure())):
        asked = [measure for measure in asked if isinstance(measure, SenseMeasure)]
    sentences = [sentence for measure in asked if (sentence := measure.headline(result.findings(measure)))]
    return " ".join(sentences if sees else [*sentences, NOT_MEASURED])


def missing(run: Run) -> str | None:
    """Why a test of so few conversations, or with one person only, allows no verdict; None where it does."""
    if run.conversations < MIN_CONVERSATIONS:
        come = f"{run.conversations} conversations" if run.conversations > 1 else "a single conversation"
        return (
            f"Too early to say: all test replies come from {come}, and it takes at least {MIN_CONVERSATIONS}. More "
            "chats bring more of them, and so does a larger test_fraction."
        )
    if run.contacts == 1:
        return (
            "Too early to say: all test conversations are with one person, so how it talks to anybody else was not "
            "tested. Add chats with others."
        )
    return None


def warnings(result: Likeness) -> list[str]:
    """Copying, leaks, faults: a plain sentence for each, if there are any."""
    sentences = (measure.warning(findings) for measure in MEASURES if (findings := result.findings(measure)))
    return [sentence for sentence in sentences if sentence]
