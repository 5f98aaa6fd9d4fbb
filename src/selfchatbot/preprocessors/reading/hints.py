"""What a file that a format can't read probably is, and what its owner should do."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from selfchatbot.errors import SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import Preprocessor
from selfchatbot.preprocessors.reading.archives import ExportPath, files_below

HEAD = 2**16
LOOKED_AT = 500
"""Files of a folder: a media folder may hold very many."""
SQLITE = b"SQLite format 3\0"


class _Kind(NamedTuple):
    """A kind of file that no format reads."""

    is_it: Callable[[str, bytes], bool]
    """Takes the path and the beginning of the file."""
    said: str


def _named(pattern: str, *heads: bytes) -> Callable[[str, bytes], bool]:
    """Whether the path ends like ``pattern`` and one of ``heads``, if there are any, is in the beginning."""
    name = re.compile(rf"(?:.*[/\\])?(?:{pattern})", re.IGNORECASE | re.DOTALL)
    return lambda path, head: name.fullmatch(path) is not None and (not heads or any(one in head for one in heads))


_KINDS = (
    _Kind(
        _named(r"(?:msgstore|wa|backup_settings)[^/\\]*\.(?:db|crypt\d+)(?:\.crypt\d+)?|ChatStorage\.sqlite"),
        "is WhatsApp's database, which only WhatsApp reads: in the app, open a chat, then Export chat, and put the "
        ".txt or .zip into a folder named WhatsApp",
    ),
    _Kind(
        _named(r"(?:chat|sms)\.db"),
        "is the iPhone's or Mac's message database: run imessage-exporter with -f txt and put its files into a folder "
        "named iMessage",
    ),
    _Kind(
        _named(r"signal[^/\\]*\.backup|(?:signal|db)\.sqlite"),
        "is Signal's own backup or database: run signal-export and put its folder into a folder named Signal",
    ),
    _Kind(lambda _, head: head.startswith(SQLITE), "is a database, no export"),
    _Kind(
        _named(r"message_\d+\.html"),
        "is the HTML of Messenger or Instagram: request the download again with the format JSON",
    ),
    _Kind(
        _named(
            r"messages\.(?:json|csv)",
            b'"Contents":',
            b'"Contents" :',
            b"ID,Timestamp,Contents",
        ),
        "is from Discord's own data package, which holds only your messages and none that you answered: export your "
        "chats with DiscordChatExporter",
    ),
    _Kind(
        _named(
            r"(?:account[/\\]user|messages[/\\]index|servers[/\\]index)\.json", b'"discriminator"', b'"Direct Message'
        ),
        "is from Discord's own data package, which holds only your messages and none that you answered: export your "
        "chats with DiscordChatExporter",
    ),
)


def hint_for_folder(kind: type[Preprocessor], folder: Path) -> str | None:
    """What the files of a folder are in which a format found nothing to read; None when nobody knows."""
    return hint_for_files(kind, files_below(folder, lambda path: path.suffix.lower() != ".zip"))


def hint_for_files(kind: type[Preprocessor], files: Iterable[ExportPath]) -> str | None:
    """What the first of ``files`` is that doesn't look like ``kind`` but like something else."""
    for number, path in enumerate(files):
        if number == LOOKED_AT:
            break
        head = _head(path)
        for one in _KINDS:
            if one.is_it(str(path), head):
                return f"{path} {one.said}"
        if not _looks_like(kind, path, head):
            for name in Preprocessors:
                if name != kind.name and _looks_like(_loaded(name), path, head):
                    return f"{path} looks like {name}: put it into a folder named {name}"
    return None


def _head(path: ExportPath) -> bytes:
    try:
        with path.open("rb") as file:
            return bytes(file.read(HEAD))
    except (OSError, SelfChatBotError):
        return b""


def _loaded(name: str) -> type[Preprocessor] | None:
    try:
        return Preprocessors[name]
    except SelfChatBotError:  # somebody else's, and broken: this is not the time to say so
        return None


def _looks_like(kind: type[Preprocessor] | None, path: ExportPath, head: bytes) -> bool:
    try:
        return kind is not None and kind.recognises(path, head)
    except Exception:  # a hint must never hide the error that it explains
        return False
