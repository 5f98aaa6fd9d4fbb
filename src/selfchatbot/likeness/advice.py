"""What to do next, as far as it follows from the figures; nothing is said where nothing follows."""

from selfchatbot.likeness.result import Likeness


def advice(result: Likeness) -> list[str]:
    """Sentences, the most important first."""
    raise NotImplementedError
