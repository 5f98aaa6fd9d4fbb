"""The verdict: a few sentences that need no statistics."""

from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.measures.sense import SenseMeasure, makes_no_sense
from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.result import Likeness
from selfchatbot.statistics import MIN_CONVERSATIONS

NOT_MEASURED = "Whether its replies make sense is not measured: read some of them, or name a larger model with --judge."

BLIND = "No verdict: the judge that read its replies can't see whether they make sense. Read some of them yourself."


def verdict(result: Likeness) -> str:
    """Whether it makes sense, if a judge that sees was asked; how alike its wording is; what must not be overlooked."""
    return " ".join([opening(result), *warnings(result)])


def opening(result: Likeness) -> str:
    """What is missing for a verdict, or the sentences of the measures that have one, sense first.

    With a judge that is blind there is no verdict. Where a judge finds no sense, alike wording is no comfort.
    """
    if lacks := missing(result.run):
        return lacks
    if result.reader and not result.reader.sees:
        return BLIND
    sense = result.findings(SenseMeasure())
    asked = [SenseMeasure()] if makes_no_sense(sense) else MEASURES
    sentences = [sentence for measure in asked if (sentence := measure.headline(result.findings(measure)))]
    return " ".join(sentences if sense else [NOT_MEASURED, *sentences])


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
