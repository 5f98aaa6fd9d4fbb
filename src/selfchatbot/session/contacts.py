"""The people in the chats: the contacts that the model was trained to tell apart, and the names of everyone else."""

import json
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import read_small


def contact_messages(data: Path) -> dict[str, str]:
    """The system message of each contact in the training data in ``data``; empty if there are none.

    The key "contact" of a line names the contact; in lines without it, the message itself is the name. A contact has
    one message for each app: the newest one counts, as lines are in chronological order.
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
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SelfChatBotError(f"{path} can't be read as conversations: run selfChatBot_preprocess again") from error
    return found


def contact_names(data: Path) -> frozenset[str]:
    """The names of other people in the chats, from summary.json; empty without one."""
    summary = read_summary(data)
    names: set[str] = set()
    contacts = summary.get("contacts")
    names.update(contacts if isinstance(contacts, dict) else ())
    formats = summary.get("formats")
    for part in formats if isinstance(formats, list) else ():
        senders, me = (part.get(key) or () for key in ("senders", "me")) if isinstance(part, dict) else ((), ())
        if isinstance(senders, dict) and isinstance(me, list | tuple):
            names.update(name for name in senders if name not in me)
    return frozenset(str(name) for name in names)


def read_summary(data: Path) -> dict[str, Any]:
    """What preprocess found; empty if it can't be read, because nothing here depends on it."""
    try:
        values = json.loads(read_small(data / "summary.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
