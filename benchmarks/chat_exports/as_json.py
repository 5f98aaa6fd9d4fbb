"""Exports that are JSON: pieces of the file, in order; Slack has a file for each day."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from chat_exports.chat import CHAT, ME, Chat, days

PART = 10_000
"""Messages of one file of Messenger."""
TURNS = 20
"""Messages of one conversation in JSONL."""


def discord_json(chat: Chat) -> Iterator[str]:
    head = {
        "guild": {"id": "0", "name": "Direct Messages", "iconUrl": "https://cdn.discordapp.com/embed/avatars/0.png"},
        "channel": {"id": "1", "type": "DirectGroupTextChat", "categoryId": None, "category": "Group", "name": CHAT},
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2026-01-01T00:00:00+00:00",
    }
    records = (_discord(number, *sent, chat) for number, sent in enumerate(chat))
    yield from _json(head, records, {"messageCount": len(chat)}, indent=2)


def _discord(number: int, time: datetime, author: str, text: str, chat: Chat) -> dict[str, Any]:
    return {
        "id": str(438000000000000000 + number),
        "type": "Default",
        "timestamp": f"{time.isoformat()}.123+00:00",
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": text,
        "author": {
            "id": str(250000000000000000 + chat.people[author]),
            "name": author,
            "discriminator": "0000",
            "nickname": author,
            "color": None,
            "isBot": False,
            "roles": [],
            "avatarUrl": "https://cdn.discordapp.com/embed/avatars/0.png",
        },
        **{key: [] for key in ("attachments", "embeds", "stickers", "reactions", "mentions", "inlineEmojis")},
    }


def telegram(chat: Chat) -> Iterator[str]:
    def records() -> Iterator[dict[str, Any]]:
        for number, (time, author, text) in enumerate(chat):
            yield {
                "id": number,
                "type": "message",
                "date": time.isoformat(),
                "date_unixtime": str(int(time.timestamp())),
                "from": author,
                "from_id": f"user{chat.people[author]}",
                "text": text,
                "text_entities": [{"type": "plain", "text": text}],
            }

    yield from _json({"name": CHAT, "type": "private_group", "id": 7}, records(), {}, indent=1)


def messenger(chat: Chat, folder: Path, part_of: int = PART) -> None:
    """Files of ``part_of`` messages, the newest first and in the first."""
    head = {"participants": [{"name": author} for author in chat.people]}
    tail = {"title": CHAT, "thread_path": "inbox/everybody_1", "magic_words": []}
    for number, part in groupby(enumerate(reversed(chat)), key=lambda counted: counted[0] // part_of + 1):
        records = (
            {
                "sender_name": author,
                "timestamp_ms": int(time.timestamp() * 1000),
                "content": text.encode().decode("latin-1"),
                "is_geoblocked_for_viewer": False,
            }
            for _, (time, author, text) in part
        )
        with (folder / f"message_{number}.json").open("w", encoding="utf-8") as file:
            file.writelines(_json(head, records, tail, indent=2, ascii_only=True))


def _json(
    head: dict[str, Any],
    records: Iterable[dict[str, Any]],
    tail: dict[str, Any],
    *,
    indent: int,
    ascii_only: bool = False,
) -> Iterator[str]:
    """An object with the keys of ``head``, a list of ``records``, and the keys of ``tail``."""
    pad = "\n" + " " * indent
    yield json.dumps(head, indent=indent)[:-2] + f',{pad}"messages": ['
    comma = ""
    for record in records:
        yield (
            comma
            + f"{pad}{pad[1:]}"
            + json.dumps(record, indent=indent, ensure_ascii=ascii_only).replace("\n", pad + pad[1:])
        )
        comma = ","
    yield f"{pad}]" + (f",{json.dumps(tail, indent=indent)[1:]}" if tail else "\n}")


def signal_json(chat: Chat) -> Iterator[str]:
    for time, author, text in chat:
        record = {
            "date": f"{time:%Y-%m-%d %H:%M:%S}",
            "sender": "Me" if author == ME else author,
            "body": f"{text}  ",
            "quote": "",
            "sticker": "",
            "reactions": [],
            "attachments": [],
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def jsonl(chat: Chat) -> Iterator[str]:
    """The messages format of OpenAI."""
    messages = iter(chat)
    while turns := list(islice(messages, TURNS)):
        said = [{"role": "assistant" if one.author == ME else "user", "content": one.text} for one in turns]
        yield json.dumps({"messages": said}, ensure_ascii=False) + "\n"


def slack(chat: Chat, folder: Path) -> None:
    """A channel with one file for each day, and the members of the workspace."""
    members = [
        {"id": f"U{number}", "team_id": "T1", "name": author, "profile": {"display_name": author, "real_name": author}}
        for author, number in chat.people.items()
    ]
    ids = [member["id"] for member in members]
    (folder / "users.json").write_text(json.dumps(members, indent=4), encoding="utf-8")
    channel = {"id": "C1", "name": CHAT, "created": 1, "creator": "U1", "is_archived": False, "members": ids}
    (folder / "channels.json").write_text(json.dumps([channel], indent=4), encoding="utf-8")
    (folder / "dms.json").write_text("[]", encoding="utf-8")
    (folder / CHAT).mkdir()
    number = 0
    for day, messages in days(chat):
        records = []
        for time, author, text in messages:
            number += 1
            block = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
            records.append(
                {
                    "user": f"U{chat.people[author]}",
                    "type": "message",
                    "ts": f"{int(time.timestamp())}.{number % 1_000_000:06}",
                    "client_msg_id": f"{number:032x}",
                    "text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
                    "team": "T1",
                    "blocks": [{"type": "rich_text", "block_id": "b", "elements": [block]}],
                }
            )
        (folder / CHAT / f"{day:%Y-%m-%d}.json").write_text(json.dumps(records, indent=4), encoding="utf-8")
