"""What is answered: contexts of the test split, and the replies of those who need no model to answer them."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.result import Speaker
from selfchatbot.messages import ChatMessages, answered, read_conversations

EXAMPLES = 12
LONGEST_EXAMPLE = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Context:
    """A place in a test conversation at which I answered."""

    messages: ChatMessages
    """All before my reply, perhaps with a system message first; ends with a turn of the others."""
    reply: str
    """What I really wrote."""
    conversation: int
    """Number of its line in test.jsonl, from 1: replies of one conversation are resampled and held out together."""


Answers = dict[Speaker, list[str]]
"""The replies of each speaker, as long as the list of contexts and in its order.

``me`` is ``[context.reply ...]``. The control's reply at a place is the contact's own turn before mine there: of the
same conversation, so that one list of conversations serves all speakers.
"""


def read_contexts(data: Path, count: int, seed: int) -> list[Context]:
    """``count`` places of test.jsonl (fewer where there are no more), in the order of the file.

    They are spread: every conversation gives one after the other until it has no more, so that no long one outweighs
    the rest. Raises SelfChatBotError where there is none.
    """
    path = data / "test.jsonl"
    if not path.is_file():
        raise SelfChatBotError(f"{path} is not there: run selfChatBot_preprocess first")
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
        raise SelfChatBotError(f"{path}: no reply of yours to anything: raise test_fraction and preprocess again")
    chosen = sorted(found, key=lambda one: one[:3])[:count]
    return [context for *_, context in sorted(chosen, key=lambda one: one[1:3])]


def control_replies(contexts: Sequence[Context], speakers: Collection[str]) -> list[str]:
    """What the contacts really wrote: the turn before each reply of mine; in a group, of the last one who speaks in it.

    ``speakers``: names that stand before messages in groups, see `selfchatbot.session.contacts.contact_names`.
    """
    return [last_speaker(context.messages[-1]["content"], speakers) for context in contexts]


def last_speaker(turn: str, speakers: Collection[str]) -> str:
    """What the last speaker of a turn of the others says in it, without the names that groups put before messages."""
    said: list[str] = []
    last = None
    for line in turn.split("\n"):
        name, colon, words = line.partition(": ")
        named = bool(colon) and name in speakers
        if named and name != last:
            said, last = [], name
        said.append(words if named else line)
    return "\n".join(said).strip()


@dataclass(frozen=True, slots=True)
class Training:
    """The words of train.jsonl, turn by turn."""

    mine: list[str]
    contacts: list[str]
    """As `last_speaker` gives them."""


def read_training(data: Path, speakers: Collection[str]) -> Training:
    """Raises SelfChatBotError where train.jsonl isn't there or not what it should be."""
    path = data / "train.jsonl"
    if not path.is_file():
        raise SelfChatBotError(f"{path} is not there: run selfChatBot_preprocess first")
    training = Training([], [])
    for conversation in read_conversations(path):
        for message in conversation:
            if message["role"] == "assistant":
                training.mine.append(message["content"].strip())
            elif message["role"] == "user":
                training.contacts.append(last_speaker(message["content"], speakers))
    return training


def few_shot(training: Training, seed: int, count: int = EXAMPLES) -> list[str]:
    """Different replies of mine for the prompt of the base model, short ones: all fit beside the conversation."""
    fitting = sorted({reply for reply in training.mine if 0 < len(reply) <= LONGEST_EXAMPLE})
    return random.Random(seed).sample(fitting, min(count, len(fitting)))
