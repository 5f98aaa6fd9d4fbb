"""Folders of exports, as preprocess finds them, and what it makes of them."""

import json
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from selfchatbot.conversations.stage import preprocess
from selfchatbot.conversations.summary import Summary
from selfchatbot.environment import Dataset, Environment
from selfchatbot.errors import SelfChatBotError

START = datetime(2024, 3, 1, 12)
RULE = "=" * 62
Line = tuple[float, str, str]
"""Minutes after the start, author, text."""


def discord(raw: Path, chat: str, lines: Iterable[Line], folder: str = "DiscordChatExporter") -> Path:
    """One channel as DiscordChatExporter writes it."""
    path = raw / folder / f"Direct Messages - {chat} [{zlib.crc32(chat.encode())}].txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{RULE}\nGuild: Direct Messages\nChannel: {chat}\n{RULE}\n\n"
    count = 0
    for minutes, author, content in lines:
        time = START + timedelta(minutes=minutes)
        text += f"[{time.month}/{time.day}/{time.year} {time:%I:%M %p}] {author}\n{content}\n\n\n"
        count += 1
    path.write_text(f"{text}{RULE}\nExported {count} message(s)\n{RULE}\n", encoding="utf-8")
    return path


def whatsapp(raw: Path, name: str, lines: Iterable[Line], folder: str = "WhatsApp") -> Path:
    """One chat as an iPhone exports it."""
    path = raw / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    times = ((START + timedelta(minutes=minutes), author, text) for minutes, author, text in lines)
    path.write_text("".join(f"[{time:%d.%m.%y, %H:%M:%S}] {a}: {text}\n" for time, a, text in times), encoding="utf-8")
    return path


def telegram(
    raw: Path, chats: dict[str, list[tuple[Any, ...]]], me: str | None = "Rowan", folder: str = "Telegram"
) -> Path:
    """A whole account as Telegram Desktop exports it; a line may have an id and the id that it answers."""
    people: dict[str, int] = {me or "Rowan": 1}
    listed = []
    for number, (name, lines) in enumerate(chats.items(), 100):
        messages = []
        for index, (minutes, author, text, *ids) in enumerate(lines):
            time = START + timedelta(minutes=minutes)
            user = people.setdefault(author, len(people) + 1)
            record = {"id": ids[0] if ids else number * 10_000 + index, "type": "message", "date": time.isoformat()}
            record |= {"date_unixtime": str(int((time - datetime(1970, 1, 1)).total_seconds()))}
            record |= {"from": author, "from_id": f"user{user}", "text": text, "text_entities": []}
            if len(ids) > 1:
                record["reply_to_message_id"] = ids[1]
            messages.append(record)
        group = len({author for _, author, *_ in lines}) > 2
        kind = "private_group" if group else "personal_chat"
        partner = next((people[author] for _, author, *_ in lines if author != me), number)
        listed.append({"name": name, "type": kind, "id": number if group else partner, "messages": messages})
    export: dict[str, Any] = {"about": "x", "chats": {"about": "x", "list": listed}}
    if me is not None:
        export = {"personal_information": {"user_id": 1, "first_name": me, "last_name": ""}, **export}
    path = raw / folder / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(export, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def chat(other: str, me: str = "rowan", day: float = 0, exchanges: int = 12, word: str = "text") -> list[Line]:
    """A talk, two minutes for an exchange."""
    lines = []
    for number in range(exchanges):
        minutes = day * 1440 + 2 * number
        lines += [(minutes, other, f"{word} {number} of {other}?"), (minutes + 1, me, f"{word} {number} of mine")]
    return lines


def group_of_three() -> list[Line]:
    lines: list[Line] = []
    for number in range(25):
        lines += [
            (number * 3, "moss", f"m{number}"),
            (number * 3 + 1, "fern", f"f{number}"),
            (number * 3 + 2, "rowan", "r"),
        ]
    return lines


@pytest.fixture
def dataset(environment: Path) -> Dataset:
    found = Dataset(
        "1", "Dataset_1_Test", Environment(*(environment / stage for stage in ("raw", "preprocessed", "results")))
    )
    found.raw.mkdir()
    found.environment.preprocessed.mkdir()
    return found


def run_with(dataset: Dataset, preprocessor_data: dict[str, Any] | None = None, **parameters: Any) -> Summary:
    values = {"model": "m", "preprocessor_data": preprocessor_data or {}, **parameters}
    (dataset.raw / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    return preprocess(dataset)


def lines_of(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for name in ("train", "validation", "test")
        for line in (dataset.preprocessed / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]


def error_of(dataset: Dataset, preprocessor_data: dict[str, Any] | None = None, **parameters: Any) -> str:
    """The one line a user gets; nothing is written then."""
    with pytest.raises(SelfChatBotError) as caught:
        run_with(dataset, preprocessor_data, **parameters)
    message = str(caught.value)
    assert "\n" not in message
    assert not dataset.preprocessed.exists()
    assert list(dataset.environment.preprocessed.iterdir()) == []
    return message


def outputs(dataset: Dataset) -> bytes:
    """Everything that was written, hidden files as well."""
    return b"".join(path.read_bytes() for path in dataset.preprocessed.rglob("*") if path.is_file())
