"""The verdict: a few sentences that need no statistics."""

from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.result import Likeness

NOT_MEASURED = "Whether its replies make sense is not measured: read some of them."


def verdict(result: Likeness) -> str:
    """How alike the model's wording is, what that doesn't say, then whatever must not be overlooked."""
    return " ".join([headline(result), NOT_MEASURED, *warnings(result)])


def headline(result: Likeness) -> str:
    """The sentence of the first measure that has one."""
    sentences = (measure.headline(result.findings(measure)) for measure in MEASURES)
    return next((sentence for sentence in sentences if sentence), "")


def warnings(result: Likeness) -> list[str]:
    """Copying, leaks, faults: a plain sentence for each, if there are any."""
    sentences = (measure.warning(findings) for measure in MEASURES if (findings := result.findings(measure)))
    return [sentence for sentence in sentences if sentence]
