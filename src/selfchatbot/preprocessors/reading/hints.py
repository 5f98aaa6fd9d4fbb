"""Hints for files that a format can't read: what they probably are, and what to do."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import Preprocessor
from selfchatbot.preprocessors.reading.archives import ExportPath, files_below, members, walk

HEAD_BYTES = 2**16
MAX_FILES = 500
"""Files to look at: a folder with media may contain very many."""
OTHER_SUFFIXES = (".html", ".db", ".sqlite", ".backup")
"""Of files that no format reads but of which `advice_for` knows more."""
SQLITE = b"SQLite format 3\0"
SLACKDUMP = re.compile(
    rb'\s*\{(?!\s*"channel_id")(?=.{0,2000}?"messages"\s*:)(?=.*?"ts"\s*:\s*"\d{10}\.\d{6}")', re.DOTALL
)
"""Its files before 1.1."""


class _Kind(NamedTuple):
    """A kind of file that no format can read."""

    matches: Callable[[str, bytes], bool]
    """Takes the path and the first bytes of the file."""
    advice: str


def _named(pattern: str, *heads: bytes) -> Callable[[str, bytes], bool]:
    """Whether the path ends with ``pattern`` and the first bytes contain one of ``heads``, if there are any."""
    name = re.compile(rf"(?:.*[/\\])?(?:{pattern})", re.IGNORECASE | re.DOTALL)
    return lambda path, head: name.fullmatch(path) is not None and (not heads or any(one in head for one in heads))


_KINDS = (
    _Kind(
        _named(r"(?:msgstore|wa|backup_settings)[^/\\]*\.(?:db|crypt\d+)(?:\.crypt\d+)?|ChatStorage\.sqlite"),
        "is WhatsApp's database, which only WhatsApp reads: in the app, open a chat, then Export chat, and put the "
        ".txt or .zip into a folder named WhatsApp, or run WhatsApp-Chat-Exporter with --json and put its result.json "
        "there",
    ),
    _Kind(
        _named(r"(?:chat|sms)\.db"),
        "is the iPhone's or Mac's message database: run imessage-exporter with -f txt and put its files into a folder "
        "named iMessage",
    ),
    _Kind(
        _named(r"signal[^/\\]*\.backup|(?:signal|db)\.sqlite"),
        "is Signal's own backup or database: in the app, Settings, Chats, Export chat history (or run signal-export), "
        "and put the folder into a folder named Signal",
    ),
    _Kind(
        lambda path, head: path.endswith(".json") and SLACKDUMP.match(head) is not None,
        'is slackdump\'s own format: run "slackdump export" and put its folder or zip into a folder named Slack',
    ),
    _Kind(
        _named(r"slackdump\.sqlite"),
        'is an archive of slackdump: run "slackdump convert -f export" on its folder, and put the zip into a folder '
        "named Slack",
    ),
    _Kind(
        _named(r"[^/\\]*\.(?:tar|tgz|tar\.\w{2,3}|7z|rar)"),
        "is packed in a way that can't be read here: unpack it and put its files into the folder",
    ),
    _Kind(lambda _, head: head.startswith(SQLITE), "is a database, not an export"),
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
    """For a folder in which ``kind`` found nothing to read. None if the files are unknown."""
    return hint_for_files(kind, files_below(folder, lambda path: path.suffix.lower() != ".zip"))


def hint_for_files(kind: type[Preprocessor], files: Iterable[ExportPath]) -> str | None:
    """For the first of ``files`` that doesn't look like ``kind`` but like something else; None if there is none."""
    for path in islice(files, MAX_FILES):
        if advice := _advice(kind, path):
            return f"{path} {advice}"
    return None


def hints_for_others(kind: type[Preprocessor], folder: Path, exports: Iterable[ExportPath]) -> list[str]:
    """One for each kind of file below ``folder`` that is not among ``exports`` and looks like something else."""
    read = {str(path) for path in exports}
    found: dict[str, list[str]] = {}
    for path in islice((path for path in _candidates(folder) if str(path) not in read), MAX_FILES):
        if path.name not in kind.companions and (advice := _advice(kind, path)):
            found.setdefault(advice, []).append(str(path))
    return [
        f"{paths[0]} was not read: it {advice}" + (f" ({len(paths)} such files)" if len(paths) > 1 else "")
        for advice, paths in found.items()
    ]


def _candidates(folder: Path) -> Iterator[ExportPath]:
    """Files that may be exports, by their names, also in zips; what people sent one another lies among them."""
    suffixes = {suffix for kind in known_kinds() for suffix in kind.suffixes} | set(OTHER_SUFFIXES)
    for path in walk(folder):
        if path.suffix.lower() in suffixes:
            yield path
        elif path.suffix.lower() == ".zip":
            with suppress(ExportError):  # it may be encrypted, or no zip at all
                yield from members(path, lambda member: member.suffix.lower() in suffixes)


def _advice(kind: type[Preprocessor], path: ExportPath) -> str | None:
    """`advice_for` a file, or the format of another app that it looks like, as the end of a sentence."""
    if advice := advice_for(path):
        return advice
    formats = formats_of(path)
    if formats and kind.name not in formats:
        return f"looks like {formats[0]}: put it into a folder named {formats[0]}"
    return None


def advice_for(path: ExportPath) -> str | None:
    """What to do with a file of a kind that no format reads, as the end of a sentence; None for any other file."""
    head = _head(path)
    return next((one.advice for one in _KINDS if one.matches(str(path), head)), None)


def formats_of(path: ExportPath) -> list[str]:
    """The names of the formats that a file looks like, from its content: one, or none."""
    head = _head(path)
    return [kind.name for kind in known_kinds() if _looks_like(kind, path, head)]


def format_of(path: Path) -> str | None:
    """The format of a file, or of most files in a zip; None if there is none.

    Raises ExportError for a zip that can't be read.
    """
    suffixes = {suffix for kind in known_kinds() for suffix in kind.suffixes}
    if path.suffix.lower() != ".zip":
        return next(iter(formats_of(path)), None) if path.suffix.lower() in suffixes else None
    counted: Counter[str] = Counter()
    for member in members(path, lambda inner: inner.suffix.lower() in suffixes):
        counted.update(formats_of(member)[:1])
    return counted.most_common(1)[0][0] if counted else None


def known_kinds() -> list[type[Preprocessor]]:
    """All formats that can be used. Of a broken plugin, whoever looks its name up is told."""
    return [kind for name in Preprocessors if (kind := _loaded(name)) is not None]


def _head(path: ExportPath) -> bytes:
    try:
        with path.open("rb") as file:
            return bytes(file.read(HEAD_BYTES))
    except (OSError, SelfChatBotError):
        return b""


def _loaded(name: str) -> type[Preprocessor] | None:
    try:
        return Preprocessors[name]
    except SelfChatBotError:  # a broken plugin is no reason to fail here
        return None


def _looks_like(kind: type[Preprocessor], path: ExportPath, head: bytes) -> bool:
    try:
        return kind.recognises(path, head)
    except Exception:  # of a plugin; a failing hint must not hide the error that it explains
        return False
