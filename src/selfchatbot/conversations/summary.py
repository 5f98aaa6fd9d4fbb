"""What preprocess found and made, for the screen and for summary.json."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from selfchatbot.conversations.learning_curve import gain
from selfchatbot.conversations.store import Spool
from selfchatbot.messages import ChatMessages
from selfchatbot.preprocessors import ExportFile

HOW = {
    "username": "by the name in parameters.json",
    "export": "as the export says",
    "common": "the only one who writes in every chat",
}
"""The ways in which I am found."""


@dataclass(slots=True)
class FormatSummary:
    """What was found in the folder of one format."""

    name: str
    files: list[ExportFile] = field(default_factory=list)
    senders: Counter[str] = field(default_factory=Counter)
    """Messages in which something was typed, by author."""
    me: list[str] = field(default_factory=list)
    """Those of the authors who are me."""
    how: str = ""
    """Why they are: a key of `HOW`."""
    chats: int = 0
    contacts: Counter[str] = field(default_factory=Counter)
    """My replies, by contact."""
    repeated: int = 0
    """Messages that another export of the same chat has as well."""
    left_out: int = 0
    """Messages that `exclude` names."""
    groups_left_out: int = 0
    """Chats that ``group_chats`` leaves out."""
    notes: list[str] = field(default_factory=list)
    without_me: list[str] = field(default_factory=list)
    """Names of files in which I didn't write."""

    def to_dict(self, hide: Callable[[str], str], redact: Callable[[str], str]) -> dict[str, Any]:
        """The figures, with names as `Summary` describes it."""
        senders: Counter[str] = Counter()
        for author, count in self.senders.items():
            senders[redact(author)] += count
        return {
            "name": self.name,
            "me": list(dict.fromkeys(map(redact, self.me))),
            "me_found": HOW.get(self.how, ""),
            "chats": self.chats,
            "repeated_messages": self.repeated,
            "excluded_messages": self.left_out,
            "excluded_groups": self.groups_left_out,
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
    """How much there is in one of the splits."""

    conversations: int
    turns: int
    replies: int
    words: int

    @classmethod
    def of(cls, spool: Spool, numbers: array[int]) -> SplitSummary:
        return cls(
            conversations=len(numbers),
            turns=sum(spool.turns[number] for number in numbers),
            replies=sum(spool.replies[number] for number in numbers),
            words=sum(spool.words[number] for number in numbers),
        )


@dataclass(slots=True)
class Summary:
    """What preprocess made, for the screen and for summary.json."""

    formats: list[FormatSummary]
    splits: dict[str, SplitSummary]
    redacted: dict[str, int]
    """How many of each kind were replaced."""
    warnings: list[str]
    example: ChatMessages
    """One conversation of the training split, cut to a few turns; the assistant's turns are what is trained."""
    hide: Callable[[str], str]
    """Takes the names of people and chats that are left out from a text."""
    redact: Callable[[str], str]
    """Gives the name of somebody or something as it stands in the written conversations."""

    def contacts(self) -> dict[str, dict[str, int]]:
        """My replies by contact and format, the contact with most of them first."""
        found: dict[str, dict[str, int]] = {}
        for summary in self.formats:
            for contact, replies in summary.contacts.items():
                found.setdefault(contact, {})[summary.name] = replies
        return dict(sorted(found.items(), key=lambda pair: -sum(pair[1].values())))

    def to_json(self) -> str:
        """Every figure of the summary, documented by its keys; ``expected_gain`` is in nats per trained token."""

        def hide(text: str) -> str:
            return self.redact(self.hide(text))

        values = {
            "formats": [summary.to_dict(hide, self.redact) for summary in self.formats],
            "contacts": self.contacts(),
            "splits": {name: asdict(part) for name, part in self.splits.items()},
            "expected_gain": round(gain(self.splits["train"].replies), 2),
            "redacted": self.redacted,
            "warnings": list(map(self.redact, self.warnings)),
            "example": self.example,
        }
        return json.dumps(values, indent=2, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> object:
    """Paths and dates in summary.json are text."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
