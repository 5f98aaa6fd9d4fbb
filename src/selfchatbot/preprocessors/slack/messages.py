"""One message of Slack. Grammar: "How to read Slack data exports" of Slack's help."""

import re
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.media import VOICE, by_content_type
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.slack.text import comment_on_file, decoded
from selfchatbot.preprocessors.slack.workspace import Workspace

WRITTEN = (None, "me_message", "thread_broadcast", "reply_broadcast", "file_share")
"""Subtypes of what people write. Others are joins, topics, calls, reminders, deleted messages and bots."""
TS = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,6}))?")
LAST_SECOND = 253_402_300_799
"""The end of the year 9999, as far as dates go."""


def row(entry: dict[str, Any], place: str, workspace: Workspace) -> Row | None:
    """Microseconds since 1970, "ts", author, text, the "ts" that is answered, that of the edit, and media.

    None for no message. The text is empty where nobody typed any. Raises ExportError, with the ``place``, for a message
    without a time.
    """
    if entry.get("type") != "message":
        return None
    ts = entry.get("ts")
    match = TS.fullmatch(ts) if isinstance(ts, str) else None
    if match is None or int(match[1]) > LAST_SECOND:
        raise ExportError(f'{place}: "ts" is no time in seconds: export again, or remove the file')
    microseconds = int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))
    user, subtype = entry.get("user"), entry.get("subtype")
    author = content = media = ""
    if isinstance(user, str) and not (workspace.is_bot(user) or entry.get("bot_id")) and subtype in WRITTEN:
        text = comment_on_file(entry) if subtype == "file_share" else entry.get("text")
        if isinstance(text, str) and text.strip():
            content = decoded(text, entry.get("blocks"), workspace.author, workspace.channels)
        media = _besides_text(entry)
        if content or media:
            author = workspace.author(user, entry.get("user_profile"))
    thread = entry.get("thread_ts")
    reply_to = thread if isinstance(thread, str) and thread != ts else None
    changed = entry.get("edited")
    edited = changed.get("ts") if isinstance(changed, dict) else None
    return microseconds, ts, author, content, reply_to, edited if isinstance(edited, str) else "", media


def _besides_text(entry: dict[str, Any]) -> str:
    """The kind of the first file, see `preprocessors.media`."""
    match entry.get("files"):
        case [{"subtype": "slack_audio"}, *_]:
            return VOICE
        case [{"mimetype": str(kind)}, *_]:
            return by_content_type(kind)
    return ""
