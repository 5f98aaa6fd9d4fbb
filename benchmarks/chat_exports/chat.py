"""The chats of the sample as one group, of any length."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

SAMPLE = Path(__file__).resolve().parents[2] / "SampleEnvironment" / "selfChatBot_raw" / "Dataset_1_Rowan"
ME = "rowan"
CHAT = "everybody"
HEADER = re.compile(r"\[(\d+/\d+/\d{4} \d+:\d\d [AP]M)\] (.+)")
RULE = "=" * 62


class Sent(NamedTuple):
    """A message of the sample."""

    time: datetime
    author: str
    text: str


class Chat(Sequence[Sent]):
    """``count`` messages: those of the sample again and again."""

    def __init__(self, count: int) -> None:
        self._sample = sample()
        self._span = self._sample[-1].time - self._sample[0].time + timedelta(days=1)
        self._count = count
        people = dict.fromkeys(message.author for message in self._sample)
        self.people = {author: number for number, author in enumerate(people, 1)}
        """Authors and their numbers."""

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        turn, number = divmod(index, len(self._sample))
        message = self._sample[number]
        return message._replace(time=message.time + turn * self._span)


def sample() -> list[Sent]:
    """The messages of the sample by time."""
    messages = []
    for path in sorted((SAMPLE / "DiscordChatExporter").glob("*.txt")):
        text = path.read_text(encoding="utf-8").split(f"{RULE}\n", 2)[2].rsplit(f"\n{RULE}\nExported", 1)[0]
        for part in re.split(r"\n\n\n(?=\[)", text.strip("\n")):
            head, _, body = part.partition("\n")
            match = HEADER.fullmatch(head)
            assert match is not None, head
            messages.append(Sent(datetime.strptime(match[1], "%m/%d/%Y %I:%M %p"), match[2], body))
    return sorted(messages, key=lambda message: message.time)


def days(chat: Chat) -> Iterator[tuple[datetime, Iterator[Sent]]]:
    """The midnights of the days and their messages."""
    return groupby(chat, key=lambda sent: sent.time.replace(hour=0, minute=0))
