"""The verdict: a few sentences that need no statistics."""

from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.measures.sense import SenseMeasure
from selfchatbot.likeness.result import Likeness

NOT_MEASURED = "Whether its replies make sense is not measured: read some of them, or name a larger model with --judge."


def verdict(result: Likeness) -> str:
    """Whether it makes sense, if a judge that sees was asked; how alike its wording is; what must not be overlooked."""
    return " ".join([opening(result), *warnings(result)])


def opening(result: Likeness) -> str:
    """The sentences of the measures that have one. A judge that is blind has none, and that is said."""
    sees = result.reader is not None and result.reader.sees
    asked = (measure for measure in MEASURES if sees or not isinstance(measure, SenseMeasure))
    sentences = [sentence for measure in asked if (sentence := measure.headline(result.findings(measure)))]
    return " ".join(sentences if sees else [*sentences, NOT_MEASURED])


def warnings(result: Likeness) -> list[str]:
    """Copying, leaks, faults: a plain sentence for each, if there are any."""
    sentences = (measure.warning(findings) for measure in MEASURES if (findings := result.findings(measure)))
    return [sentence for sentence in sentences if sentence]
