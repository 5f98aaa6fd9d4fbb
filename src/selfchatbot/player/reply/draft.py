"""A reply while it is being generated: its tokens, and the text that has been shown of it."""

from dataclasses import dataclass, field
from typing import Literal

from selfchatbot.player.reply.reranking import Candidate

FinishReason = Literal["stop", "length"]
"""Whether the turn ended, or was cut at the maximum length."""


@dataclass(frozen=True, slots=True)
class ReplyChunk:
    """The next part of one of several replies that are generated together."""

    candidate: int
    """The number of the reply, from 0."""
    text: str
    """Continues the earlier chunks of the reply; may be empty."""
    tokens: int
    """Generated so far for this reply."""
    finish_reason: FinishReason | None = None
    """Set in the last chunk of a reply."""


@dataclass(slots=True)
class Draft:
    """One reply in progress."""

    number: int
    tokens: Candidate = field(default_factory=Candidate)
    shown: str = ""
    ended: bool = False

    @property
    def finish_reason(self) -> FinishReason:
        """As of now."""
        return "stop" if self.ended else "length"

    def restart(self) -> None:
        """Discard the tokens of an attempt that gave no text."""
        self.tokens, self.ended = Candidate(), False

    def show(self, text: str) -> ReplyChunk:
        """What is new in ``text``, the whole reply so far. Half an emoji is held back until its last byte arrives.

        A byte-level tokenizer may turn complete characters into replacement characters when invalid bytes follow: what
        was shown stays.
        """
        text = complete_characters(text)
        replaced = 0 if text.startswith(self.shown) else text.rfind("\ufffd") + 1
        new = text[max(len(self.shown), replaced) :]
        if new:
            self.shown = text
        done = self.ended and bool(self.shown)
        return ReplyChunk(self.number, new, len(self.tokens.ids), self.finish_reason if done else None)


def complete_characters(text: str) -> str:
    """``text`` without an incomplete character at its end."""
    return text.rstrip("\ufffd").rstrip() if text.endswith("\ufffd") else text
