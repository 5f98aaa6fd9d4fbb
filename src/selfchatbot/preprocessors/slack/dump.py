"""What ``slackdump dump`` writes: one file for each chat, or thread of it, ``C051D4052.json``.

Grammar: ``types/conversation.go``, ``types/message.go`` and ``source/dump.go`` of rusq/slackdump, from 1.1 on:
``{"channel_id", "thread_ts", "name", "messages": [...]}``, with messages as Slack has them, and in them the answers, as
``slackdump_thread_replies``. Ids of channels begin with C, of groups with G, of direct messages, which have no name,
with D. ``users.json`` and ``channels.json`` of ``slackdump list`` may lie beside.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.slack.messages import row
from selfchatbot.preprocessors.slack.workspace import Workspace

DUMP = re.compile(r"[CDG][A-Z0-9]{5,}(?:-\d{10}\.\d{6})?\.json")
DIRECT = "D"
EPOCH = datetime(1970, 1, 1)


def root_of(dump: ExportPath) -> str:
    """The folder that a file lies in, beside the tables."""
    return str(PurePath(str(dump)).parent)


def read_dumps(
    path: Path, dumps: list[ExportPath], workspaces: Mapping[str, Workspace], files: list[ExportFile]
) -> Iterator[Message]:
    """The messages of all ``dumps``, chat by chat and by time, with one ExportFile for each chat.

    Raises ExportError for what can't be read.
    """
    with Sorter(path) as sorter:
        names: dict[str, str] = {}
        writers: dict[str, set[str]] = {}
        notes: list[str] = []
        for number, dump in enumerate(dumps):
            for sent in _sent(dump, workspaces[root_of(dump)], number, names, notes):
                writers.setdefault(sent.chat, set()).add(sent.author)
                sorter.add(sent)
        for key, sent_in_chat in sorter.chats():
            file: ExportFile | None = None
            for one in sent_in_chat:
                if file is None:
                    workspace = workspaces[root_of(dumps[one.file])]
                    me = workspace.me_as_author()
                    others = writers[key] - {me, ""}
                    name, group = workspace.chat(workspace.channels.get(key, key))
                    if key.startswith(DIRECT) and group is not False:
                        name, group = key, False  # slackdump lists them among the channels
                    elif group is None:
                        name, group = f"#{names[key] or key}", True
                    if not group and me is not None and len(others) == 1:
                        (name,) = others
                    file = ExportFile(dumps[one.file], name, me=me, group=group)
                    file.notes, notes = notes, []
                    files.append(file)
                time = EPOCH + timedelta(microseconds=one.time)
                file.add(time)
                if one.text or one.media:
                    yield Message(time, one.author, one.text, file.chat, one.id, one.reply_to, media=one.media)


def _sent(dump: ExportPath, workspace: Workspace, file: int, names: dict[str, str], notes: list[str]) -> Iterator[Sent]:
    """The messages of a file, and the name of its chat."""
    key = dump.stem.partition("-")[0]
    count = 0
    try:
        for place, value in json_values(dump, "channel_id", "name", "messages[]"):
            if place == "messages":
                for entry in value:
                    for one in _with_answers(entry, dump):
                        count += 1
                        if (found := row(one, f"{dump}, message {count:,}", workspace)) is not None:
                            time, ts, author, text, thread, _, media = found
                            yield Sent(key, time, author, text, ts, thread, file, media=media)
            elif place == "name" and isinstance(value, str):
                names[key] = value
            elif place == "channel_id" and isinstance(value, str):
                key = value
            names.setdefault(key, "")
    except CutShortError:
        notes.append(f"{dump.name} is cut short: what it has was read; dump it again for the rest")
    except NoObjectError:
        raise ExportError(f"{dump}: no chat of slackdump: dump it again, or remove the file") from None


def _with_answers(entry: Any, dump: ExportPath) -> Iterator[dict[str, Any]]:
    answers = entry.get("slackdump_thread_replies") or [] if isinstance(entry, dict) else None
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise ExportError(f"{dump}: a message that is no object: dump it again, or remove the file")
    yield entry
    yield from answers
