"""Messages and conversations, and the JSON lines that conversations are stored as."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from selfchatbot.errors import SelfChatBotError

Role = Literal["system", "user", "assistant"]
ChatMessages = list[dict[str, str]]
"""The common chat format: ``[{"role": "user", "content": "..."}, ...]``."""


@dataclass(slots=True)  # not frozen: it would take three times as long to make one, and there is one for each message
class Message:
    """One message; ``content`` is nothing but what its author typed. Nobody changes it."""

    timestamp: datetime
    """Local time as stated in the export, without a time zone."""
    author: str
    """As written in the export."""
    content: str
    chat: str
    """The channel, group or contact."""
    id: str | None = None
    """The id of the message within its chat, if the export has ids."""
    reply_to: str | None = None
    """The ``id`` of the message that this one replies to, if the export states it."""
    edited: int = 0
    """When it was edited last, in seconds since 1970; 0: not at all, or the export doesn't state it."""
    media: str = ""
    """What was sent besides text, or in its place: see `preprocessors.media`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The messages of one side until the other side writes, joined by newlines."""

    role: Role
    content: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """Alternating turns of the others (``user``) and me (``assistant``), without a long silence between them."""

    turns: tuple[Turn, ...]
    chat: str
    contact: str = ""
    """The other person, by the same name in all apps; in a group, the name of the chat."""
    format: str = ""
    """The export format."""
    system: str = ""
    """The system message, which tells the model who it is talking to. Empty: none."""

    @property
    def start(self) -> datetime:
        return self.turns[0].start

    @property
    def replies(self) -> int:
        """Number of turns of mine."""
        return sum(turn.role == "assistant" for turn in self.turns)

    @property
    def words(self) -> int:
        """Number of words of mine, separated by white space."""
        return sum(len(turn.content.split()) for turn in self.turns if turn.role == "assistant")

    def to_json(self) -> str:
        """One line of JSONL, without the newline, in the common format that other trainers read too."""
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
    """The indices of my turns that follow a turn of the others, if neither of the two is empty."""
    return [
        turn
        for turn in range(1, len(conversation))
        if conversation[turn]["role"] == "assistant"
        and conversation[turn - 1]["role"] == "user"
        and conversation[turn]["content"].strip()
        and conversation[turn - 1]["content"].strip()
    ]


def merged(messages: ChatMessages) -> ChatMessages:
    """The messages without empty ones, and with consecutive ones of the same role merged (as in hand-made data)."""
    turns: ChatMessages = []
    filled = (message for message in messages if message["content"])
    for _, group in groupby(filled, key=itemgetter("role")):
        first, *others = group
        content = "\n".join(message["content"] for message in (first, *others))
        turns.append({**others[-1], "content": content} if others else first)
    return turns


def newest(messages: ChatMessages, characters: int) -> ChatMessages:
    """The system message and the last turns, as `merged`; long ones are cut.

    A system message keeps its first ``characters``, every other its last ones, and two to three times as many are kept
    in all. As a conversation grows, the first turn that is kept stays the same for many turns.
    """
    turns = merged(messages)
    beginning = introduction(turns)
    sums = [0, *accumulate(len(turn["content"]) for turn in turns)]
    dropped = max(sums[-1] // characters - 2, 0) * characters
    start = max(bisect_right(sums, dropped) - 1, len(beginning))
    kept = [{**turn, "content": turn["content"][-characters:]} for turn in turns[start:]]
    return [*({**turn, "content": turn["content"][:characters]} for turn in beginning), *kept]


def encodable(text: str) -> str:
    """``text`` with question marks for lone surrogates, which have no UTF-8. Broken terminals and JSON contain them."""
    return text.encode("utf-8", "replace").decode()


def introduction(conversation: ChatMessages) -> ChatMessages:
    """The system message at the start of a conversation, as a list; empty if there is none."""
    return conversation[:1] if conversation and conversation[0]["role"] == "system" else []


def read_conversations(path: Path) -> Iterator[ChatMessages]:
    """The ``messages`` of each line of a JSONL file.

    Raises SelfChatBotError with file and line for lines that are not conversations.
    """
    for place, line in _lines(path):
        yield _messages_of(line, place)


def read_starts(path: Path) -> Iterator[datetime]:
    """The start of each conversation of a JSONL file: local time, without a time zone.

    Raises SelfChatBotError with file and line if "start" is missing or not a time.
    """
    for place, line in _lines(path):
        try:
            yield datetime.fromisoformat(json.loads(line)["start"]).replace(tzinfo=None)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise SelfChatBotError(f'{place}: expected "start": a time such as "2024-01-31T18:00:00"') from None


def read_contacts(path: Path) -> Iterator[str]:
    """Who each conversation of a JSONL file is with; empty where "contact" is missing, as in hand-made data."""
    for _, line in _lines(path):
        contact = ""
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            contact = str(json.loads(line).get("contact") or "")
        yield contact


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs of place, for error messages, and line. Empty lines are left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            place = f"{path}, line {number}"
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise SelfChatBotError(f"{place}: byte {error.start + 1} is not UTF-8 text") from error
            if text.strip():
                yield place, text


def _messages_of(line: str, place: str) -> ChatMessages:
    try:
        messages: Any = json.loads(line)["messages"]
        well_formed = bool(messages) and all(
            message["role"] in ("system", "user", "assistant") and isinstance(message["content"], str)
            for message in messages
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        well_formed = False
    if not well_formed:
        raise SelfChatBotError(f'{place}: expected {{"messages": [{{"role": ..., "content": ...}}, ...]}}')
    return [{"role": message["role"], "content": encodable(message["content"])} for message in messages]
