"""The two things a chat is made of here, and the JSON line a conversation is kept as."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from selfchatbot.errors import SelfChatBotError

Role = Literal["system", "user", "assistant"]
ChatMessages = list[dict[str, str]]
"""The conversational standard: ``[{"role": "user", "content": "..."}, ...]``."""


@dataclass(frozen=True, slots=True)
class Message:
    """One sent message: what its author typed, and nothing else."""

    timestamp: datetime
    """Wall-clock time as the export states it, naive."""
    author: str
    """As the export writes it."""
    content: str
    chat: str
    """The channel, group or contact it belongs to."""
    id: str | None = None
    """The export's own id of the message within its chat, where it has one."""
    reply_to: str | None = None
    """The ``id`` of the message that this one answers, where the export says so."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said until the other spoke: a burst of messages joined by newlines."""

    role: Role
    content: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """Alternating turns of the others (``user``) and me (``assistant``) without a long silence between them."""

    turns: tuple[Turn, ...]
    chat: str
    contact: str = ""
    """The other person, by the name that all apps share; in a group, the name of the chat."""
    format: str = ""
    """The export format it was read from."""
    system: str = ""
    """A message before all turns that tells the model with whom it talks."""

    @property
    def start(self) -> datetime:
        return self.turns[0].start

    @property
    def replies(self) -> int:
        """How many turns are mine."""
        return sum(turn.role == "assistant" for turn in self.turns)

    @property
    def words(self) -> int:
        """How many words are mine, counted between white space."""
        return sum(len(turn.content.split()) for turn in self.turns if turn.role == "assistant")

    def to_json(self) -> str:
        """One JSONL line without its newline: the conversational standard that other trainers read as well."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        line = {
            "messages": [*system, *({"role": turn.role, "content": turn.content} for turn in self.turns)],
            "chat": self.chat,
            "start": self.start.isoformat(),
            "contact": self.contact,
            "format": self.format,
        }
        return json.dumps(line, ensure_ascii=False)


def answered(conversation: ChatMessages) -> list[int]:
    """The indices of my turns that answer a turn of the others; neither of the two is empty."""
    return [
        turn
        for turn in range(1, len(conversation))
        if conversation[turn]["role"] == "assistant"
        and conversation[turn - 1]["role"] == "user"
        and conversation[turn]["content"].strip()
        and conversation[turn - 1]["content"].strip()
    ]


def merged(messages: ChatMessages) -> ChatMessages:
    """Two turns of one side in a row, as hand-made data may have them, are one; empty ones say nothing."""
    turns: ChatMessages = []
    for message in messages:
        if not message["content"]:
            continue
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1] = {**message, "content": f"{turns[-1]['content']}\n{message['content']}"}
        else:
            turns.append(message)
    return turns


def encodable(text: str) -> str:
    """``text`` with a question mark for half a surrogate, as broken terminals and JSON may have it: it has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def introduction(conversation: ChatMessages) -> ChatMessages:
    """The system message that a conversation begins with, or nothing."""
    return conversation[:1] if conversation and conversation[0]["role"] == "system" else []


def read_conversations(path: Path) -> Iterator[ChatMessages]:
    """The ``messages`` of each line of a JSONL file.

    Raises SelfChatBotError with file and line for anything that is not a conversation.
    """
    for place, line in _lines(path):
        yield _messages_of(line, place)


def read_starts(path: Path) -> Iterator[datetime]:
    """When each conversation of a JSONL file starts: wall-clock time, naive.

    Raises SelfChatBotError with file and line where "start" is missing or no time.
    """
    for place, line in _lines(path):
        try:
            yield datetime.fromisoformat(json.loads(line)["start"]).replace(tzinfo=None)
        except (ValueError, LookupError, TypeError):
            raise SelfChatBotError(f'{place}: expected "start": a time such as "2024-01-31T18:00:00"') from None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Where each line stands, for messages, and the line; empty ones are left out."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}, line {number}", line


def _messages_of(line: str, place: str) -> ChatMessages:
    try:
        messages: Any = json.loads(line)["messages"]
        well_formed = bool(messages) and all(
            message["role"] in ("system", "user", "assistant") and isinstance(message["content"], str)
            for message in messages
        )
    except (ValueError, KeyError, TypeError):
        well_formed = False
    if not well_formed:
        raise SelfChatBotError(f'{place}: expected {{"messages": [{{"role": ..., "content": ...}}, ...]}}')
    return [{"role": message["role"], "content": encodable(message["content"])} for message in messages]
