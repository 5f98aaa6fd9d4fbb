"""Whom the model knows: the contacts it was trained to tell apart, and the names of all who speak in the chats."""

import json
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError


def contact_messages(data: Path) -> dict[str, str]:
    """The system message of each contact, as the training data in ``data`` has it; none where it has no such messages.

    Lines say in "contact" whom they are with; without that key, the message itself is the name. Of a contact's several
    messages (one for each app), it is the newest: lines are in the order of time.
    """
    path = data / "train.jsonl"
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.strip():
                    continue
                values: Any = json.loads(line)
                first = values["messages"][0]
                if first["role"] == "system":
                    found[str(values.get("contact") or first["content"])] = str(first["content"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SelfChatBotError(f"{path} can't be read as conversations: run selfChatBot_preprocess again") from error
    return found


def speakers(data: Path) -> frozenset[str]:
    """Names under which the others speak in group chats, from summary.json; none where there is no summary."""
    summary = read_summary(data)
    names: set[str] = set()
    contacts = summary.get("contacts")
    names.update(contacts if isinstance(contacts, dict) else ())
    formats = summary.get("formats")
    for part in formats if isinstance(formats, list) else ():
        senders, me = part.get("senders", {}), part.get("me", [])
        names.update(name for name in senders if name not in me)
    return frozenset(str(name) for name in names)


def read_summary(data: Path) -> dict[str, Any]:
    """What preprocess found; empty where that can't be read, for nothing here depends on it."""
    try:
        values = json.loads((data / "summary.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
