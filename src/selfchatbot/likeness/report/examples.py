"""The replies shown on the page: some from all over the conversations, and those that are least like mine."""

from selfchatbot.likeness.measures.discriminator import worst
from selfchatbot.likeness.report.page import Example
from selfchatbot.likeness.run.inputs import Inputs

MAX_EXAMPLES = 12
MAX_MISSES = 5


def spread(inputs: Inputs) -> list[Example]:
    """Examples spread evenly over the test conversations."""
    count = len(inputs.data.contexts)
    step = max(1, count // MAX_EXAMPLES)
    return [_example(inputs, number) for number in range(0, count, step)][:MAX_EXAMPLES]


def misses(inputs: Inputs) -> list[Example]:
    """Where the model's reply is least like mine."""
    answers = inputs.answers
    numbers = worst(answers["me"], answers["model"], inputs.groups, inputs.features, inputs.seed)
    return [_example(inputs, number) for number in numbers[:MAX_MISSES]]


def _example(inputs: Inputs, number: int) -> Example:
    replies = {speaker: texts[number] for speaker, texts in inputs.answers.items()}
    return Example(inputs.data.contexts[number].messages[-1]["content"], replies)
