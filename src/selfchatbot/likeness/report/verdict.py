"""The verdict: one to three sentences that need no statistics."""

from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.result import Likeness


def verdict(result: Likeness) -> str:
    """How alike the model is, then whatever must not be overlooked."""
    return " ".join([headline(result), *warnings(result)])


def headline(result: Likeness) -> str:
    """The sentence of the first measure that has one."""
    sentences = (measure.headline(result.findings(measure)) for measure in MEASURES)
    return next((sentence for sentence in sentences if sentence), "")


def warnings(result: Likeness) -> list[str]:
    """Copying, leaks, faults: a plain sentence for each, if there are any."""
    sentences = (measure.warning(findings) for measure in MEASURES if (findings := result.findings(measure)))
    return [sentence for sentence in sentences if sentence]
