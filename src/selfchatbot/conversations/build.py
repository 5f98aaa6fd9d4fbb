"""Messages of one chat to conversations, and conversations to the three splits."""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from selfchatbot.conversations.store import Spool
from selfchatbot.messages import Conversation, Message, Turn

MINIMUM_REPLIES = 20
CONTEXT_TURNS = 10
AUTUMN = timedelta(hours=1)
"""Clocks go back by an hour at most: an earlier time than that is another piece of the chat."""
LONGEST = 2**20
"""Characters after which a conversation is cut: far more than any window, little enough for any memory."""
REMEMBERED_MESSAGES = 20_000
REMEMBERED_CHARACTERS = 4 * 2**20


@dataclass(slots=True)
class _Burst:
    """What one person said until somebody else spoke."""

    number: int
    """Counted through the chat."""
    speaker: str | None
    """None: me."""
    start: datetime
    end: datetime
    contents: list[str] = field(default_factory=list)


def build_conversations(
    messages: Iterable[Message],
    speaker_of: Callable[[str], str | None],
    gap: timedelta,
    context_turns: int = CONTEXT_TURNS,
    group: bool | None = None,
    format_name: str = "",
) -> Iterator[Conversation]:
    """Conversations of one chat from its messages in chronological order.

    ``speaker_of`` gives the name of an author, None for me. A burst of one side is one turn; a silence longer than
    ``gap`` ends a conversation. What the others say after my last reply is left out, and so is a conversation without
    words of mine.

    Where several others talk, each of their messages names its speaker, unless the export says that there is only one
    (``group`` False). Of their words, what lies around mine is kept: ``context_turns`` bursts of one person each before
    a reply; with more of them since my last reply, a new conversation begins. A message that answers one which is not
    among the last ``context_turns`` bursts gets it as a burst before it, if it is by somebody else than me.
    """
    chat = _Chat(speaker_of, context_turns, group, format_name)
    last: datetime | None = None
    for message in messages:
        time = message.timestamp
        over = last is not None and (time - last > gap or last - time > AUTUMN or chat.size > LONGEST)
        if over and (finished := chat.end()):
            yield finished
        last = time
        if not chat.goes_on(message) and (finished := chat.add(message)):
            yield finished
    if finished := chat.end():
        yield finished


class _Chat:
    """The running conversation of one chat."""

    def __init__(
        self, speaker_of: Callable[[str], str | None], context_turns: int, group: bool | None, format_name: str
    ) -> None:
        self._speaker_of = speaker_of
        self._context_turns = context_turns
        self._group = group
        self._format = format_name
        self._done: list[_Burst] = []
        """Up to my last reply."""
        self._pending: deque[_Burst] = deque()
        """What the others have said since."""
        self._last: _Burst | None = None
        self._bursts = 0
        self._sayings = _Sayings()
        self._name = ""
        self._partner: str | None = None
        self.size = 0

    def goes_on(self, message: Message) -> bool:
        """Take a message of whoever spoke last: the short way, which about half of all messages go."""
        burst = self._last
        if burst is None or message.reply_to is not None or self._speaker_of(message.author) != burst.speaker:
            return False
        content = message.content
        burst.contents.append(content)
        burst.end = max(burst.end, message.timestamp)
        self.size += len(content)
        if message.id is not None and burst.speaker is not None:
            self._sayings.add(message.id, burst.number, burst.speaker, content)
        return True

    def add(self, message: Message) -> Conversation | None:
        """Take the next message; a conversation that can't go on with it is given back."""
        self._name = message.chat
        finished = None
        speaker = self._speaker_of(message.author)
        if message.reply_to is not None and (answered := self._sayings.get(message.reply_to)):
            number, answered_speaker, content = answered
            if number < self._first() or number <= self._bursts - self._context_turns:
                self._say(answered_speaker, content, message.timestamp)
                finished = self._trim()
        burst = self._say(speaker, message.content, message.timestamp)
        if speaker is None:
            self._done.extend(self._pending)
            self._pending.clear()
            if not self._done or self._done[-1] is not burst:
                self._done.append(burst)
            return finished
        self._partner = speaker
        if message.id is not None:
            self._sayings.add(message.id, burst.number, speaker, message.content)
        return self._trim() or finished

    def end(self) -> Conversation | None:
        """The running conversation, if there are words of mine in it; the next message begins another one."""
        finished = self._conversation() if self._done else None
        self._done, self._last, self.size = [], None, 0
        self._pending.clear()
        return finished

    def _say(self, speaker: str | None, content: str, time: datetime) -> _Burst:
        """Put a message where it belongs; a burst of mine is not yet in ``_done``."""
        last = self._last
        if last is None or last.speaker != speaker:
            self._bursts += 1
            self._last = last = _Burst(self._bursts, speaker, time, time)
            if speaker is not None:
                self._pending.append(last)
        last.contents.append(content)
        last.end = max(last.end, time)
        self.size += len(content)
        return last

    def _trim(self) -> Conversation | None:
        """Let go of what lies too far before a reply that may still come."""
        finished = None
        if len(self._pending) > self._context_turns:
            if self._done:
                finished = self._conversation()
                self._done = []
            while len(self._pending) > self._context_turns:
                self._pending.popleft()
            self.size = sum(len(content) for burst in self._pending for content in burst.contents)
        return finished

    def _first(self) -> int:
        """The number of the first burst of the running conversation."""
        bursts = self._done or self._pending
        return bursts[0].number if bursts else self._bursts + 1

    def _conversation(self) -> Conversation:
        others = {burst.speaker for burst in self._done if burst.speaker is not None}
        named = len(others) > 1 and self._group is not False
        contact = others.pop() if len(others) == 1 else None if others else self._partner
        if contact is None:
            contact = self._speaker_of(self._name) or self._name
        return Conversation(tuple(_turns(self._done, named)), self._name, contact, self._format)


def _turns(bursts: list[_Burst], named: bool) -> Iterator[Turn]:
    """Alternating turns: what several others say until I speak is one of them."""
    for mine, group in groupby(bursts, key=_is_mine):
        side = list(group)
        contents = _contents(side[0], named)
        if len(side) > 1:
            contents = [content for burst in side for content in _contents(burst, named)]
        yield Turn("assistant" if mine else "user", "\n".join(contents), side[0].start, side[-1].end)


def _is_mine(burst: _Burst) -> bool:
    return burst.speaker is None


def _contents(burst: _Burst, named: bool) -> list[str]:
    if named and burst.speaker is not None:
        return [f"{burst.speaker}: {content}" for content in burst.contents]
    return burst.contents


class _Sayings:
    """The others' latest messages by id, so many that memory doesn't grow with the chat."""

    def __init__(self) -> None:
        self._sayings: OrderedDict[str, tuple[int, str, str]] = OrderedDict()
        self._characters = 0

    def get(self, message_id: str) -> tuple[int, str, str] | None:
        """The number of its burst, its speaker and what it says."""
        return self._sayings.get(message_id)

    def add(self, message_id: str, burst: int, speaker: str, content: str) -> None:
        if message_id in self._sayings:
            return
        self._sayings[message_id] = (burst, speaker, content)
        self._characters += len(content)
        while len(self._sayings) > REMEMBERED_MESSAGES or self._characters > REMEMBERED_CHARACTERS:
            _, (_, _, oldest) = self._sayings.popitem(last=False)
            self._characters -= len(oldest)


class Splits(NamedTuple):
    """The numbers of conversations by time: the newest are the test, those before them the validation."""

    train: array[int]
    validation: array[int]
    test: array[int]


def split(spool: Spool, validation_fraction: float, test_fraction: float) -> Splits:
    """Split whole conversations by their start so that about these fractions of my replies are validation and test.

    A conversation is cut, at the longest silence near the border, only where whole ones would miss the fraction by more
    than half: with few or very long conversations. The pieces are added to ``spool``.
    """
    ordered = array("Q", sorted(range(len(spool)), key=spool.starts.__getitem__))
    replies = sum(spool.replies)
    test = array("Q")
    if test_fraction:
        ordered, test = _newest(spool, ordered, max(1, round(replies * test_fraction)))
    train, validation = _newest(spool, ordered, max(1, round(replies * validation_fraction)))
    return Splits(train, validation, test)


def _newest(spool: Spool, ordered: array[int], wanted: int) -> tuple[array[int], array[int]]:
    """Older and newer conversations, the newer ones with about ``wanted`` replies, both with at least one."""
    index = len(ordered)
    taken = 0
    while index > 0 and taken + spool.replies[ordered[index - 1]] <= wanted:
        index -= 1
        taken += spool.replies[ordered[index]]
    older, newer = ordered[:index], ordered[index:]
    if not older:
        return newer, array("Q")
    with_border = taken + spool.replies[older[-1]]
    if len(older) > 1 and with_border - wanted < min(wanted - taken, wanted / 2):
        return older[:-1], older[-1:] + newer
    if taken >= wanted / 2:
        return older, newer
    if len(older) > 1 and with_border <= 1.5 * wanted:
        return older[:-1], older[-1:] + newer
    cut = array("Q", map(spool.add, _cut(spool.get(older[-1]), wanted - taken)))
    return older[:-1] + cut[:1], cut[1:] + newer


def _cut(conversation: Conversation, wanted: int) -> list[Conversation]:
    """Cut after a reply of mine, at the longest silence that leaves half to one and a half of ``wanted`` replies."""
    turns = conversation.turns
    places: list[tuple[float, int, int]] = []
    remaining = 0
    for index in range(len(turns) - 1, 0, -1):
        remaining += turns[index].role == "assistant"
        if turns[index].role == "user" and wanted / 2 <= remaining <= max(1, 1.5 * wanted):
            silence = (turns[index].start - turns[index - 1].end).total_seconds()
            places.append((silence, -abs(remaining - wanted), index))
    if not places:
        return [conversation]
    *_, index = max(places)
    return [replace(conversation, turns=part) for part in (turns[:index], turns[index:])]
