"""Conversations in a temporary file, so that memory doesn't grow with the number of messages."""

from __future__ import annotations

import json
from array import array
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

from selfchatbot.messages import Conversation, Turn

MAX_MEMORY_BYTES = 16 * 2**20
"""Up to this size there is no file."""
EPOCH = datetime(1970, 1, 1)
TIME_BYTES = 8
"""Size of one time in a record."""


class ConversationStore:
    """Conversations by number, with 28 bytes of memory each. Their text is in a file without a name.

    The file disappears when the process ends, however it ends. A record is the JSONL line, followed by the start and
    end of each turn: they are needed if the conversation is cut later.
    """

    def __init__(self, directory: Path) -> None:
        self._file = SpooledTemporaryFile(MAX_MEMORY_BYTES, dir=str(directory))  # noqa: SIM115
        self._end = 0
        self._offsets = array("Q")
        self.starts = array("d")
        """When each conversation starts, in seconds since 1970 of its own wall clock."""
        self.turns = array("I")
        self.replies = array("I")
        self.words = array("I")

    def __enter__(self) -> ConversationStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, conversation: Conversation) -> int:
        """Add a conversation and return its number, counted from 0."""
        times = array("d")
        for turn in conversation.turns:
            times.append((turn.start - EPOCH).total_seconds())
            times.append((turn.end - EPOCH).total_seconds())
        record = conversation.to_json().encode("utf-8", "replace") + b"\n" + times.tobytes()
        self._file.seek(self._end)
        self._file.write(record)
        self._offsets.append(self._end)
        self._end += len(record)
        self.starts.append(times[0])
        self.turns.append(len(conversation.turns))
        self.replies.append(conversation.replies)
        self.words.append(conversation.words)
        return len(self._offsets) - 1

    def line(self, number: int) -> bytes:
        """The JSONL line of a conversation, with its newline."""
        record = self._record(number)
        return record[: len(record) - 2 * TIME_BYTES * self.turns[number]]

    def get(self, number: int) -> Conversation:
        """A conversation as it was added."""
        line = json.loads(self.line(number))
        messages = line["messages"]
        system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
        times = array("d", self._record(number)[-2 * TIME_BYTES * self.turns[number] :])
        moments = [EPOCH + timedelta(seconds=time) for time in times]
        turns = tuple(
            Turn(message["role"], message["content"], start, end)
            for message, start, end in zip(messages, moments[::2], moments[1::2], strict=True)
        )
        return Conversation(turns, line["chat"], line["contact"], line["format"], system)

    def truncate(self, length: int) -> None:
        """Remove all but the first ``length`` conversations."""
        if length < len(self._offsets):
            self._end = self._offsets[length]
            for column in (self._offsets, self.starts, self.turns, self.replies, self.words):
                del column[length:]

    def _record(self, number: int) -> bytes:
        offset = self._offsets[number]
        end = self._offsets[number + 1] if number + 1 < len(self._offsets) else self._end
        self._file.seek(offset)
        record: bytes = self._file.read(end - offset)
        return record
