"""What preprocess found and wrote, for the screen and for summary.json."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from selfchatbot.conversations.learning_curve import expected_gain
from selfchatbot.conversations.store import ConversationStore
from selfchatbot.conversations.typing_pace import TypingGaps
from selfchatbot.display import visible
from selfchatbot.messages import ChatMessages
from selfchatbot.preprocessors import ExportFile, Preprocessors

HOW = {
    "username": "the name that you gave",
    "export": "according to the export",
    "common": "the only one who writes in every chat",
}
"""The ways to find out who I am."""


@dataclass(slots=True)
class FormatSummary:
    """What was found in one format's folder."""

    name: str
    files: list[ExportFile] = field(default_factory=list)
    senders: Counter[str] = field(default_factory=Counter)
    """Messages with text, by author."""
    me: list[str] = field(default_factory=list)
    """The authors who are me."""
    how: str = ""
    """How that was found out: a key of `HOW`."""
    chats: int = 0
    contacts: Counter[str] = field(default_factory=Counter)
    """My replies, by contact."""
    duplicates: int = 0
    """Messages that are in another export of the same chat too."""
    dropped: int = 0
    """Messages of which ``drop`` leaves nothing."""
    excluded: int = 0
    """Messages that ``exclude`` leaves out."""
    excluded_groups: int = 0
    """Chats that ``group_chats`` leaves out."""
    typing_gaps: TypingGaps = field(default_factory=TypingGaps)
    marks_media: bool = False
    """Whether what was sent besides text is marked rather than left out."""
    notes: list[str] = field(default_factory=list)
    without_me: list[str] = field(default_factory=list)
    """Names of files, or of chats (see `by_chat`), without a message of mine."""

    @property
    def app(self) -> str:
        """The format's name for people."""
        return Preprocessors[self.name].app_name()

    @property
    def media(self) -> Counter[str]:
        """What was sent besides text, by kind."""
        return sum((file.media for file in self.files), Counter[str]())

    @property
    def by_chat(self) -> bool:
        """Whether chats are named to the user rather than files: where several files have one name."""
        return len({file.path.name for file in self.files}) < len(self.files)

    def to_dict(self, hide: Callable[[str], str], redact: Callable[[str], str]) -> dict[str, Any]:
        """As in summary.json. ``hide`` and ``redact``: see `Summary`."""
        senders: Counter[str] = Counter()
        for author, count in self.senders.items():
            senders[redact(author)] += count
        return {
            "name": self.name,
            "app": self.app,
            "me": list(dict.fromkeys(map(redact, self.me))),
            "me_found": HOW.get(self.how, ""),
            "chats": self.chats,
            "repeated_messages": self.duplicates,
            "dropped_messages": self.dropped,
            "media": dict(self.media.most_common()),
            "excluded_messages": self.excluded,
            "excluded_groups": self.excluded_groups,
            "senders": dict(senders.most_common()),
            "files": [
                {
                    "path": hide(str(file.path)),
                    "chat": hide(file.chat),
                    "messages": file.messages,
                    "declared": file.declared,
                    "first": file.first,
                    "last": file.last,
                    "notes": [hide(note) for note in file.notes],
                }
                for file in self.files
            ],
        }


@dataclass(slots=True)
class SplitSummary:
    """The size of one split."""

    conversations: int
    turns: int
    replies: int
    words: int

    @classmethod
    def of(cls, store: ConversationStore, numbers: array[int]) -> SplitSummary:
        return cls(
            conversations=len(numbers),
            turns=sum(store.turns[number] for number in numbers),
            replies=sum(store.replies[number] for number in numbers),
            words=sum(store.words[number] for number in numbers),
        )


@dataclass(slots=True)
class Summary:
    """What preprocess found and wrote."""

    formats: list[FormatSummary]
    splits: dict[str, SplitSummary]
    redacted: dict[str, int]
    """Number of placeholders of each kind."""
    warnings: list[str]
    example: ChatMessages
    """The first turns of a conversation of the training split. The assistant's turns are trained."""
    hide: Callable[[str], str]
    """Replaces the names of excluded people and chats in a text."""
    redact: Callable[[str], str]
    """The name of a person or chat as it appears in the written conversations."""
    leaves_out: bool = False
    """Whether people, chats, days or words are left out."""
    lookalikes: list[str] = field(default_factory=list)
    """Warnings with names of people who may be excluded ones: for the screen, not for a file."""

    def contacts(self) -> dict[str, dict[str, int]]:
        """My replies by contact and format, sorted by their number."""
        found: dict[str, dict[str, int]] = {}
        for summary in self.formats:
            for contact, replies in summary.contacts.items():
                found.setdefault(contact, {})[summary.name] = replies
        return dict(sorted(found.items(), key=lambda pair: -sum(pair[1].values())))

    def to_json(self) -> str:
        """The content of summary.json. ``expected_gain`` is in nats per trained token, ``pace`` as in `TypingGaps`."""

        def hide(text: str) -> str:
            return self.redact(self.hide(text))

        values = {
            "formats": [summary.to_dict(hide, self.redact) for summary in self.formats],
            "contacts": self.contacts(),
            "splits": {name: asdict(part) for name, part in self.splits.items()},
            "expected_gain": round(expected_gain(self.splits["train"].replies), 2),
            "pace": sum((summary.typing_gaps for summary in self.formats), TypingGaps()).pace(),
            "redacted": self.redacted,
            "leaves_out": self.leaves_out,
            "warnings": list(map(self.redact, self.warnings)),
            "example": self.example,
        }
        return visible(json.dumps(values, indent=2, ensure_ascii=False, default=_plain)) + "\n"


def _plain(value: object) -> object:
    """Paths and times as text."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
