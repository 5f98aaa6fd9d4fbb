"""What the page shows of all replies: some places all over the conversations, and where the model is least like me."""

from collections.abc import Sequence

from selfchatbot.likeness.intervals import groups_of
from selfchatbot.likeness.measures.discriminator import worst
from selfchatbot.likeness.measures.features import Reference, style_features
from selfchatbot.likeness.report.page import Example
from selfchatbot.likeness.run.contexts import Answers, Context, Training

EXAMPLES = 12
MISSES = 5


def spread(answers: Answers, places: Sequence[Context]) -> list[Example]:
    """Some places all over the test conversations."""
    step = max(1, len(places) // EXAMPLES)
    return [_example(answers, places, number) for number in range(0, len(places), step)][:EXAMPLES]


def misses(answers: Answers, places: Sequence[Context], training: Training, seed: int) -> list[Example]:
    """Where the model's reply is least like mine."""
    features = style_features(Reference.of(training.mine, training.contacts))
    groups = groups_of([place.conversation for place in places])
    numbers = worst(answers["me"], answers["model"], groups, features, seed)[:MISSES]
    return [_example(answers, places, number) for number in numbers]


def _example(answers: Answers, places: Sequence[Context], number: int) -> Example:
    replies = {speaker: answers[speaker][number] for speaker in answers}
    return Example(places[number].messages[-1]["content"], replies)
