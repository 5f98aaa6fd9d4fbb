"""Ready-made conversations, as other trainers read them; "me" is the assistant.

One JSON object a line (.jsonl, .ndjson), or a JSON array of such objects (.json):

- OpenAI: ``{"messages": [{"role": "user" | "assistant" | "system" | "tool" | ..., "content": str | [parts] | null,
  "name"?, "weight"?}]}``; of the parts, the texts; a reply with ``weight`` 0 is not to be learned and left out;
- ShareGPT: ``{"conversations": [{"from": "human" | "gpt" | "system" | a name, "value": str}]}``;
- Alpaca: ``{"instruction", "input"?, "output", "history"?: [[question, answer], ...]}``;
- ``{"prompt": str, "completion": str}``, or both as lists like that of ``messages`` (TRL).

What a system or a tool says was typed by nobody and is left out. Such conversations have no times, so each is a chat of
its own, in the order of the files and a minute apart in 1970: next to real chats they are all trained on. Only lines
that selfchatbot itself wrote have a ``start``, which is kept.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.reading.json_stream import json_values
from selfchatbot.preprocessors.reading.lines import decoded_lines

ME = "assistant"
OTHER = "user"
OPENAI_ROLES = {"user": OTHER, "assistant": ME}
NOT_TYPED = frozenset(("system", "developer", "tool", "function", "function_call", "observation", "tool_call"))
SHAREGPT_ROLES = {
    "human": OTHER,
    "gpt": ME,
    "chatgpt": ME,
    "bing": ME,
    "bard": ME,
    "model": ME,
    "bot": ME,
} | OPENAI_ROLES
FIRST_DAY = datetime(1970, 1, 1)
EXPECTED = '"messages", "conversations", "instruction" and "output", or "prompt" and "completion"'

Said = tuple[str, str]
"""Author and text."""


class JSONL(Preprocessor):
    """OpenAI messages, ShareGPT and Alpaca."""

    name: ClassVar[str] = "JSONL"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")
    exports_overlap: ClassVar[bool] = False
    has_times: ClassVar[bool] = False

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        starts = count()
        for export in self.export_files(path):
            file = ExportFile(export, export.stem, me=ME)
            files.append(file)
            for number, place, record in _records(export):
                time = _start(record) or FIRST_DAY + timedelta(minutes=next(starts))
                file.cover(time)
                for author, content in _said(record, place):
                    file.messages += 1
                    if content.strip():
                        yield Message(time, author, content, f"{file.chat} {number}")
                        time += timedelta(seconds=1)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        keys = ((b'"messages"', b'"role"'), (b'"conversations"', b'"from"'), (b'"instruction"', b'"output"'))
        return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and any(
            all(key in head for key in pair) for pair in (*keys, (b'"prompt"', b'"completion"'))
        )


def _records(path: ExportPath) -> Iterator[tuple[int, str, Any]]:
    """Number, place and value of each record."""
    with path.open("rb") as file:
        is_array = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if is_array:
        for _, items in json_values(path, "[]"):
            for number, record in enumerate(items, 1):
                yield number, f"{path}, item {number:,}", record
        return
    for number, line in enumerate(decoded_lines(path), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number:,}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ExportError(f"{place}: no JSON object, expected one on each line or an array of them") from error
        yield number, place, record


def _start(record: Any) -> datetime | None:
    """When selfchatbot saw the conversation start."""
    if isinstance(record, dict) and isinstance(start := record.get("start"), str):
        try:
            return datetime.fromisoformat(start).replace(tzinfo=None)
        except ValueError:
            return None
    return None


def _said(record: Any, place: str) -> Iterator[Said]:
    if not isinstance(record, dict):
        raise ExportError(f"{place}: {type(record).__name__}, expected an object with {EXPECTED}")
    if "messages" in record:
        yield from _turns(record["messages"], OPENAI_ROLES, f'{place}: "messages"')
    elif "conversations" in record or "conversation" in record:
        key = "conversations" if "conversations" in record else "conversation"
        yield from _turns(record[key], SHAREGPT_ROLES, f'{place}: "{key}"')
    elif "instruction" in record and "output" in record:
        yield from _alpaca(record, place)
    elif "prompt" in record and "completion" in record:
        for author, key in ((OTHER, "prompt"), (ME, "completion")):
            value = record[key]
            if isinstance(value, list) and any(isinstance(turn, dict) and "role" in turn for turn in value):
                yield from _turns(value, OPENAI_ROLES, f'{place}: "{key}"')
            else:
                yield author, _text(value, f'{place}: "{key}"')
    else:
        raise ExportError(f"{place}: an object without {EXPECTED}")


def _turns(turns: Any, roles: dict[str, str], place: str) -> Iterator[Said]:
    if not isinstance(turns, list):
        raise ExportError(f"{place}: {type(turns).__name__}, expected a list")
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, dict):
            raise ExportError(f"{place}, {number}: {type(turn).__name__}, expected an object")
        role = next((turn[key] for key in ("role", "from") if key in turn), None)
        if not isinstance(role, str):
            raise ExportError(f'{place}, {number}: no "role" and no "from" that says who speaks')
        if role in NOT_TYPED or (role == "assistant" and turn.get("weight") == 0):
            continue
        author = roles.get(role.casefold())
        if author is None:
            if roles is OPENAI_ROLES:
                raise ExportError(f"{place}, {number}: unknown role, expected one of {', '.join(OPENAI_ROLES)}, system")
            author = role
        elif author is OTHER and isinstance(name := turn.get("name"), str) and name.strip() and name != ME:
            author = name
        content = next((turn[key] for key in ("content", "value", "text") if key in turn), None)
        yield author, _text(content, f"{place}, {number}")


def _alpaca(record: dict[str, Any], place: str) -> Iterator[Said]:
    history = record.get("history") or []
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        raise ExportError(f'{place}: "history" is no list of pairs [question, answer]')
    for question, answer in history:
        yield OTHER, _text(question, f'{place}: "history"')
        yield ME, _text(answer, f'{place}: "history"')
    asked = (_text(record.get(key), f'{place}: "{key}"') for key in ("instruction", "input"))
    yield OTHER, "\n\n".join(text for text in asked if text.strip())
    yield ME, _text(record["output"], f'{place}: "output"')


def _text(content: Any, place: str) -> str:
    """A string, the texts of content parts, or nothing where a tool was called instead."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [
            part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None for part in content
        ]
        return "\n".join(text for text in texts if isinstance(text, str))
    raise ExportError(f"{place}: {type(content).__name__}, expected text")
