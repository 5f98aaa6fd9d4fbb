"""Messages of one chat to conversations, and conversations to the three splits."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from selfchatbot.messages import Conversation, Message, Role, Turn

MINIMUM_REPLIES = 20


def build_conversations(
    messages: Iterable[Message], is_me: Callable[[str], bool], gap: timedelta
) -> Iterator[Conversation]:
    """Conversations of one chat from its messages in chronological order.

    A burst of one side is one turn; a silence longer than ``gap`` ends a conversation. What the others say after my
    last reply is left out, and so is a conversation without words of mine.
    """
    bursts: list[list[Message]] = []
    last: Message | None = None
    for message in messages:
        # Clocks go back in autumn: a negative silence is none.
        if last is not None and message.timestamp - last.timestamp > gap:
            yield from _conversation(bursts, is_me)
            bursts = []
        if last is not None and bursts and is_me(last.author) == is_me(message.author):
            bursts[-1].append(message)
        else:
            bursts.append([message])
        last = message
    yield from _conversation(bursts, is_me)


def _conversation(bursts: list[list[Message]], is_me: Callable[[str], bool]) -> Iterator[Conversation]:
    turns = [_turn(burst, "assistant" if is_me(burst[0].author) else "user") for burst in bursts]
    if turns and turns[-1].role == "user":
        turns.pop()
    if turns:
        yield Conversation(tuple(turns), bursts[0][0].chat)


def _turn(burst: list[Message], role: Role) -> Turn:
    content = "\n".join(message.content for message in burst)
    return Turn(role, content, burst[0].timestamp, burst[-1].timestamp)


class Splits(NamedTuple):
    """Conversations by time: the newest are the test, those before them the validation."""

    train: list[Conversation]
    validation: list[Conversation]
    test: list[Conversation]


def split(conversations: Iterable[Conversation], validation_fraction: float, test_fraction: float) -> Splits:
    """Split whole conversations by their start so that about these fractions of my replies are validation and test.

    A conversation is cut, at the longest silence near the border, only where whole ones would miss the fraction by more
    than half: with few or very long conversations.
    """
    ordered = sorted(conversations, key=lambda conversation: conversation.start)
    replies = sum(conversation.replies for conversation in ordered)
    test: list[Conversation] = []
    if test_fraction:
        ordered, test = _newest(ordered, max(1, round(replies * test_fraction)))
    train, validation = _newest(ordered, max(1, round(replies * validation_fraction)))
    return Splits(train, validation, test)


def _newest(ordered: list[Conversation], wanted: int) -> tuple[list[Conversation], list[Conversation]]:
    """Older and newer conversations, the newer ones with about ``wanted`` replies, both with at least one."""
    index = len(ordered)
    taken = 0
    while index > 0 and taken + ordered[index - 1].replies <= wanted:
        index -= 1
        taken += ordered[index].replies
    older, newer = ordered[:index], ordered[index:]
    if not older:
        return newer, []
    border = older[-1]
    with_border = taken + border.replies
    if len(older) > 1 and with_border - wanted < min(wanted - taken, wanted / 2):
        return older[:-1], [border, *newer]
    if taken >= wanted / 2:
        return older, newer
    if len(older) > 1 and with_border <= 1.5 * wanted:
        return older[:-1], [border, *newer]
    cut = _cut(border, wanted - taken)
    return [*older[:-1], *cut[:1]], [*cut[1:], *newer]


def _cut(conversation: Conversation, wanted: int) -> list[Conversation]:
    """Cut after a reply of mine, at the longest silence that leaves half to one and a half of ``wanted`` replies."""
    turns = conversation.turns
    places: list[tuple[float, int]] = []
    remaining = 0
    for index in range(len(turns) - 1, 0, -1):
        remaining += turns[index].role == "assistant"
        if turns[index].role == "user" and wanted / 2 <= remaining <= max(1, 1.5 * wanted):
            places.append(((turns[index].start - turns[index - 1].end).total_seconds(), index))
    if not places:
        return [conversation]
    _, index = max(places)
    return [Conversation(part, conversation.chat) for part in (turns[:index], turns[index:])]
