"""What is answered: places in the test split, and the replies of the two speakers that need no model."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfchatbot.environment import conversations_file
from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.messages import ChatMessages, answered, read_conversations

FEW_SHOT_EXAMPLES = 12
MAX_FEW_SHOT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Context:
    """A place in a test conversation where I replied."""

    messages: ChatMessages
    """Everything before my reply, perhaps starting with a system message; ends with a turn of the others."""
    reply: str
    """What I really wrote."""
    conversation: int
    """Line number in test.jsonl, from 1. Replies of one conversation are resampled and held out together."""


Answers = dict[Speaker, list[str]]
"""The replies of each speaker, one for each context and in the order of the contexts.

For ``me``, ``[context.reply ...]``. The control's reply is the contact's turn right before mine: it comes from the same
conversation, so the same resampling groups serve all speakers.
"""


@dataclass(frozen=True, slots=True)
class TrainingTexts:
    """The turns of train.jsonl."""

    mine: list[str]
    contacts: list[str]
    """As `last_speaker` returns them."""


def read_contexts(data: Path, count: int, seed: int) -> list[Context]:
    """At most ``count`` places of test.jsonl, in the order of the file.

    They are spread evenly: each conversation gives one place in turn until it has none left, so that no long
    conversation outweighs the others. Raises SelfChatBotError where there are none.
    """
    path = conversations_file(data, "test")
    rng = random.Random(seed)
    found: list[tuple[float, int, int, Context]] = []
    for number, conversation in enumerate(read_conversations(path), 1):
        turns = answered(conversation)
        rng.shuffle(turns)
        start = rng.random()
        for round, turn in enumerate(turns):
            reply = conversation[turn]["content"].strip()
            found.append((round + start, number, turn, Context(conversation[:turn], reply, number)))
    if not found:
        raise SelfChatBotError(f"{path}: no message that you replied to: raise test_fraction and preprocess again")
    chosen = sorted(found, key=lambda one: one[:3])[:count]
    return [context for *_, context in sorted(chosen, key=lambda one: one[1:3])]


def control_replies(contexts: Sequence[Context], names: Collection[str]) -> list[str]:
    """What the contacts really wrote right before each of my replies; in a group, the last one who spoke.

    ``names`` precede messages in groups, see `selfchatbot.session.contacts.contact_names`.
    """
    return [last_speaker(context.messages[-1]["content"], names) for context in contexts]


def last_speaker(turn: str, names: Collection[str]) -> str:
    """What the last person to speak in a turn wrote there, without the names that groups put before messages."""
    messages: list[str] = []
    last = None
    for line in turn.split("\n"):
        name, colon, text = line.partition(": ")
        is_named = bool(colon) and name in names
        if is_named and name != last:
            messages, last = [], name
        messages.append(text if is_named else line)
    return "\n".join(messages).strip()


def read_training(data: Path, names: Collection[str]) -> TrainingTexts:
    """Raises SelfChatBotError where train.jsonl is missing or malformed."""
    path = conversations_file(data, "train")
    training = TrainingTexts([], [])
    for conversation in read_conversations(path):
        for message in conversation:
            if message["role"] == "assistant":
                training.mine.append(message["content"].strip())
            elif message["role"] == "user":
                training.contacts.append(last_speaker(message["content"], names))
    return training


def few_shot(training: TrainingTexts, seed: int, count: int = FEW_SHOT_EXAMPLES) -> list[str]:
    """Distinct short replies of mine for the base model's prompt; short, so that all fit beside the conversation."""
    short = sorted({reply for reply in training.mine if 0 < len(reply) <= MAX_FEW_SHOT_CHARACTERS})
    return random.Random(seed).sample(short, min(count, len(short)))
