"""Messages of one chat to conversations."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from selfchatbot.messages import Conversation, Message, Turn

CONTEXT_TURNS = 10
MAX_BACKWARD_JUMP = timedelta(hours=1)
"""Clocks go back by an hour in autumn. A larger jump back starts another part of the chat."""
MAX_CONVERSATION_CHARACTERS = 2**20
"""Longer conversations are cut: far more than any context window, and little enough for any memory."""
REPLY_MEMORY_MESSAGES = 20_000
REPLY_MEMORY_CHARACTERS = 4 * 2**20


@dataclass(slots=True)
class _Burst:
    """The messages of one person until somebody else writes."""

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

    ``speaker_of`` returns the name of an author, None for me. A burst of one side is one turn; a silence longer than
    ``gap`` ends a conversation. Messages of others after my last reply are left out, and so are conversations without
    messages of mine.

    If there are several others, each of their messages starts with the name of its speaker, unless the export states
    that there is only one (``group`` False). Of their messages, those around mine are kept: at most ``context_turns``
    bursts of one person each before a reply; more of them since my last reply start a new conversation. If a message
    replies to one that is not among the last ``context_turns`` bursts, that one is inserted before it as a burst,
    unless it is mine.
    """
    chat = _Chat(speaker_of, context_turns, group, format_name)
    last: datetime | None = None
    for message in messages:
        time = message.timestamp
        is_over = last is not None and (
            time - last > gap or last - time > MAX_BACKWARD_JUMP or chat.characters > MAX_CONVERSATION_CHARACTERS
        )
        if is_over and (finished := chat.end()):
            yield finished
        last = time
        if not chat.continues_burst(message) and (finished := chat.add(message)):
            yield finished
    if finished := chat.end():
        yield finished


class _Chat:
    """The current conversation of one chat."""

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
        """Bursts of the others since then."""
        self._last: _Burst | None = None
        self._bursts = 0
        self._memory = _ReplyMemory()
        self._name = ""
        self._partner: str | None = None
        self.characters = 0

    def continues_burst(self, message: Message) -> bool:
        """Add a message by the author of the last one; False for any other. A shortcut for about half of all messages.

        Replies don't take the shortcut.
        """
        burst = self._last
        if burst is None or message.reply_to is not None or self._speaker_of(message.author) != burst.speaker:
            return False
        content = message.content
        burst.contents.append(content)
        burst.end = max(burst.end, message.timestamp)
        self.characters += len(content)
        if message.id is not None and burst.speaker is not None:
            self._memory.add(message.id, burst.number, burst.speaker, content)
        return True

    def add(self, message: Message) -> Conversation | None:
        """Add the next message. Returns the conversation that ends before it, if one does."""
        self._name = message.chat
        finished = None
        speaker = self._speaker_of(message.author)
        if message.reply_to is not None and (answered := self._memory.get(message.reply_to)):
            number, answered_speaker, content = answered
            if number < self._first_burst() or number <= self._bursts - self._context_turns:
                self._append(answered_speaker, content, message.timestamp)
                finished = self._trim()
        burst = self._append(speaker, message.content, message.timestamp)
        if speaker is None:
            self._done.extend(self._pending)
            self._pending.clear()
            if not self._done or self._done[-1] is not burst:
                self._done.append(burst)
            return finished
        self._partner = speaker
        if message.id is not None:
            self._memory.add(message.id, burst.number, speaker, message.content)
        return self._trim() or finished

    def end(self) -> Conversation | None:
        """The current conversation, if I wrote something in it; the next message starts another one."""
        finished = self._conversation() if self._done else None
        self._done, self._last, self.characters = [], None, 0
        self._pending.clear()
        return finished

    def _append(self, speaker: str | None, content: str, time: datetime) -> _Burst:
        """Append a message to the last burst or to a new one. A new burst of mine is not in ``_done`` yet."""
        last = self._last
        if last is None or last.speaker != speaker:
            self._bursts += 1
            self._last = last = _Burst(self._bursts, speaker, time, time)
            if speaker is not None:
                self._pending.append(last)
        last.contents.append(content)
        last.end = max(last.end, time)
        self.characters += len(content)
        return last

    def _trim(self) -> Conversation | None:
        """Drop what is too far before a reply that may still come."""
        finished = None
        if len(self._pending) > self._context_turns:
            if self._done:
                finished = self._conversation()
                self._done = []
            while len(self._pending) > self._context_turns:
                self._pending.popleft()
            self.characters = sum(len(content) for burst in self._pending for content in burst.contents)
        return finished

    def _first_burst(self) -> int:
        """The number of the first burst of the current conversation."""
        bursts = self._done or self._pending
        return bursts[0].number if bursts else self._bursts + 1

    def _conversation(self) -> Conversation:
        others = {burst.speaker for burst in self._done if burst.speaker is not None}
        with_names = len(others) > 1 and self._group is not False
        contact = others.pop() if len(others) == 1 else None if others else self._partner
        if contact is None:
            contact = self._speaker_of(self._name) or self._name
        return Conversation(tuple(_turns(self._done, with_names)), self._name, contact, self._format)


def _turns(bursts: list[_Burst], with_names: bool) -> Iterator[Turn]:
    """Alternating turns: the bursts of several others until I write form one of them."""
    for mine, group in groupby(bursts, key=_is_mine):
        side = list(group)
        contents = _contents(side[0], with_names)
        if len(side) > 1:
            contents = [content for burst in side for content in _contents(burst, with_names)]
        yield Turn("assistant" if mine else "user", "\n".join(contents), side[0].start, side[-1].end)


def _is_mine(burst: _Burst) -> bool:
    return burst.speaker is None


def _contents(burst: _Burst, with_names: bool) -> list[str]:
    if with_names and burst.speaker is not None:
        return [f"{burst.speaker}: {content}" for content in burst.contents]
    return burst.contents


class _ReplyMemory:
    """The latest messages of the others by id, to look up what a reply answers. Its size is bounded."""

    def __init__(self) -> None:
        self._messages: OrderedDict[str, tuple[int, str, str]] = OrderedDict()
        self._characters = 0

    def get(self, message_id: str) -> tuple[int, str, str] | None:
        """The number of its burst, its speaker and its content."""
        return self._messages.get(message_id)

    def add(self, message_id: str, burst: int, speaker: str, content: str) -> None:
        if message_id in self._messages:
            return
        self._messages[message_id] = (burst, speaker, content)
        self._characters += len(content)
        while len(self._messages) > REPLY_MEMORY_MESSAGES or self._characters > REPLY_MEMORY_CHARACTERS:
            _, (_, _, oldest) = self._messages.popitem(last=False)
            self._characters -= len(oldest)
