"""Ratings from a session as preference pairs, in the format that preference trainers (DPO and similar) read."""

import json
import os
from pathlib import Path

from selfchatbot.messages import ChatMessages


def add_preferences(path: Path, prompt: ChatMessages, chosen: str, rejected: list[str]) -> int:
    """Append one line for each of ``rejected`` that differs from ``chosen``; returns the number of lines.

    The format is TRL's conversational one with an explicit prompt: ``{"prompt": [messages], "chosen": [message],
    "rejected": [message]}``. Raises OSError.
    """
    worse = list(dict.fromkeys(text for text in rejected if text.strip() and text != chosen))
    if not worse or not chosen.strip():
        return 0
    lines = [
        json.dumps({"prompt": prompt, "chosen": _reply(chosen), "rejected": _reply(text)}, ensure_ascii=False) + "\n"
        for text in worse
    ]
    with path.open("ab+") as file:
        # A line that a crash left incomplete must not swallow the first of these.
        if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            lines.insert(0, "\n")
        file.write("".join(lines).encode("utf-8", errors="replace"))
    return len(worse)


def _reply(text: str) -> ChatMessages:
    return [{"role": "assistant", "content": text}]
