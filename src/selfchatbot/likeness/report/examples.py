"""The replies shown on the page: some from all over the conversations, and those that are least like mine."""

from selfchatbot.likeness.measures.discriminator import worst
from selfchatbot.likeness.report.page import Example
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.run.judging import Judged

MAX_EXAMPLES = 12
MAX_MISSES = 5


def spread(inputs: Inputs, judged: Judged | None) -> list[Example]:
    """Examples spread evenly over the test conversations, of the places that a judge read, if one did that sees."""
    numbers = judged.contexts if judged else range(len(inputs.data.contexts))
    step = max(1, len(numbers) // MAX_EXAMPLES)
    return [_example(inputs, judged, number) for number in numbers[::step]][:MAX_EXAMPLES]


def misses(inputs: Inputs, judged: Judged | None) -> list[Example]:
    """Where the model's reply is least like mine."""
    answers = inputs.answers
    numbers = worst(answers["me"], answers["model"], inputs.groups, inputs.features, inputs.seed)
    return [_example(inputs, judged, number) for number in numbers[:MAX_MISSES]]


def _example(inputs: Inputs, judged: Judged | None, number: int) -> Example:
    replies = {speaker: texts[number] for speaker, texts in inputs.answers.items()}
    found = {speaker: judged.sense(speaker, number) for speaker in replies} if judged else {}
    sense = {speaker: round(100 * share) for speaker, share in found.items() if share is not None}
    return Example(inputs.data.contexts[number].messages[-1]["content"], replies, sense)
