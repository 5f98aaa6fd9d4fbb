"""Conversations with the model, saved in the JSONL format of the training data."""

import json
from datetime import datetime
from pathlib import Path

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import new_file, read_small, write_text
from selfchatbot.messages import ChatMessages, encodable, read_conversations

SESSIONS_FOLDER = "sessions"
MAX_BYTES = 64 * 2**20
"""Of a file that can be loaded."""
CHAT_NAME = "session"
"""The value of "chat" in each line."""


def history_file(folder_name: str) -> Path:
    """Where the line editor keeps what was typed in sessions with the dataset of this folder name."""
    from platformdirs import user_data_path

    return user_data_path("selfchatbot", appauthor=False) / "history" / folder_name


def write_transcript(path: Path, messages: ChatMessages, start: datetime, contact: str = "") -> None:
    """Write one conversation as one line, atomically. Raises OSError."""
    line = {"messages": messages, "chat": CHAT_NAME, "start": start.isoformat(timespec="seconds"), "contact": contact}
    write_text(path, encodable(json.dumps(line, ensure_ascii=False)) + "\n")


def read_transcript(path: Path) -> tuple[ChatMessages, int]:
    """The last conversation of a JSONL file, and how many it has. Raises SelfChatBotError."""
    last: ChatMessages = []
    count = 0
    try:
        read_small(path, MAX_BYTES)  # no device, and no file that fills the memory
        for conversation in read_conversations(path):
            last = conversation
            count += 1
    except OSError as error:
        raise SelfChatBotError(f"{path} can't be read: {error.strerror}") from error
    if not count:
        raise SelfChatBotError(f"{path} is empty: there is no conversation in it")
    return last, count


class TranscriptWriter:
    """Writes a running session to a file of its own after each turn, so that nothing is lost however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begin()

    def begin(self) -> None:
        """Start a new conversation; its file is created by the first `write`."""
        self.start = datetime.now()
        self._path: Path | None = None

    def write(self, messages: ChatMessages, contact: str = "") -> None:
        """Write the conversation as it is now. Raises OSError."""
        if not any(message["role"] != "system" for message in messages):
            if self._path is not None:
                self._path.unlink(missing_ok=True)
                self._path = None
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path is None:  # another session may have begun in the same second
            self._path = new_file(self.folder, self.start.strftime("%Y-%m-%dT%H-%M-%S"), ".jsonl")
        write_transcript(self._path, messages, self.start, contact)

    def latest(self) -> Path | None:
        """The newest conversation except the running one."""
        # File names are times. A file is empty for the moment between `new_file` and its first turn.
        others = (path for path in self.folder.glob("*.jsonl") if path != self._path and path.stat().st_size)
        return max(others, default=None)
