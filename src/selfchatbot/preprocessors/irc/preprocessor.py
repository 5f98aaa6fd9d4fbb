"""IRC logs of irssi, WeeChat, mIRC, ZNC, HexChat and The Lounge.

A log is one file for each channel or person, or one for each of its days; names of files and folders say which. `lines`
knows how the clients write; this module puts the files of a channel together and yields the messages. An action is
yielded as it is typed, ``/me waves``. When I change my nick, I stay one author: the one that ``username`` names, since
"You're now known as" doesn't say who I was.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import ClassVar

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor, same_name
from selfchatbot.preprocessors.irc.lines import CLOCK, DAY, LOGGING, SAID, TAB, Became, Gone, Said, events, people
from selfchatbot.preprocessors.reading.order import chronological

DATE = re.compile(r"(.*?)[._-]?((?:19|20)\d\d)-?([01]\d)-?([0-3]\d)")
WEECHAT = re.compile(r"irc\.([^.]+)\.(.+)")
# HexChat and XChat with "%n-%c" as the name of logs.
XCHAT = re.compile(r"([^-#]+)-([#&].*)")
# ZNC up to 1.2: user, network, channel.
ZNC = re.compile(r"[^_]+_([^_]+)_([#&+!].*)")
CHANNEL = ("#", "&", "+", "!")
MOST_NAMES = 20_000
"""In one file. The largest channels have some thousand people; more is no log, and memory is not for it."""


@dataclass(slots=True)
class Log:
    """What a first look at a file shows."""

    path: ExportPath
    network: str
    channel: str
    day: datetime | None
    """As the name of the file says."""
    first: datetime = datetime.max
    nicks: Counter[str] = field(default_factory=Counter)
    mine: set[str] = field(default_factory=set)
    """Nicks that the log calls mine."""
    before: set[str] = field(default_factory=set)
    """Nicks that spoke before the log first calls one mine."""


class IRC(Preprocessor):
    """IRC channels and queries, one log each or one for each day."""

    name: ClassVar[str] = "IRC"
    suffixes: ClassVar[tuple[str, ...]] = (".log", ".weechatlog", ".txt")

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        logs = [_scan(file) for file in self.export_files(path)]
        if not any(log.nicks for log in logs):
            raise _no_log(logs[0].path if logs else path)
        named = next((nick for log in logs for nick in log.nicks if self.is_me(nick)), None)
        networks: dict[str, set[str]] = {}
        for log in logs:
            networks.setdefault(log.channel, set()).add(log.network)
        for log in sorted(logs, key=lambda log: (log.channel, log.network, log.first, str(log.path))):
            # A channel of the same name on another network is another one.
            chat = f"{log.channel} ({log.network})" if len(networks[log.channel]) > 1 else log.channel
            yield from chronological(self._read_file(log, chat, named, files))

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() not in cls.suffixes:
            return False
        lines = [
            line.removesuffix("\r") for line in head.decode(errors="replace").removeprefix("\ufeff").split("\n")[:20]
        ]
        for line in lines:
            if TAB.fullmatch(line) or DAY.fullmatch(line) or LOGGING.fullmatch(line):
                return True
            if (match := CLOCK.fullmatch(line)) and (SAID.fullmatch(match[5]) or match[5].startswith(("*** ", "-!- "))):
                return True
        return False

    def _read_file(self, log: Log, chat: str, named: str | None, files: list[ExportFile]) -> Iterator[Message]:
        """The messages of one file in its order; ``named`` is the nick that the parameters call mine."""
        file = ExportFile(path=log.path, chat=chat, me=_me(log))
        if log.channel.startswith(CHANNEL):
            file.group = True
        elif len(log.nicks) <= 2:
            file.group = False
        files.append(file)
        own = named or file.me
        changed: set[str] = set()
        spoken = 0
        for event in events(log.path, log.day):
            if isinstance(event, Said):
                # An action is by somebody who also says something.
                if event.doubtful and event.nick not in log.nicks:
                    continue
                file.add(event.time)
                spoken += not event.action
                author = own if own is not None and event.nick in changed else event.nick
                if event.text and not event.text.isspace():
                    yield Message(event.time, author, event.text, chat)
            elif isinstance(event, Became):
                if event.old == "":
                    own, changed = own or event.new, {event.new}
                elif event.old in changed or event.old == own or self.is_me(event.old):
                    own, changed = own or event.old, changed - {event.old} | {event.new}
            elif isinstance(event, Gone):
                changed = changed - {event.nick} if event.nick else set()
        if (early := log.nicks.total() - spoken) > 0:
            file.notes.append(f"{early:,} line(s) before the first day were left out: the file's name tells no day")


def _scan(path: ExportPath) -> Log:
    """Whose log a file is, and who speaks in it.

    The file is looked through before it is read, as somebody may speak only at its end. That costs 0.1 s per 100,000
    messages.

    Raises ExportError for what is no log of IRC.
    """
    log = Log(path, *_named(path))
    lines = 0
    for found in people(path):
        lines += 1
        if isinstance(found, Became):
            if not log.mine:
                log.before.update(log.nicks)
            log.mine.add(found.new)
        elif found is not None and (found in log.nicks or len(log.nicks) < MOST_NAMES):
            log.nicks[found] += 1
    if lines == 0 and not _is_empty(path):
        raise _no_log(path)
    if log.nicks:
        first = next((event for event in events(path, log.day) if isinstance(event, Said)), None)
        if first is None:
            raise ExportError(f"{path}: nothing tells its day: name it like {path.stem}.2024-01-31{path.suffix}")
        log.first = first.time
    return log


def _is_empty(path: ExportPath) -> bool:
    with path.open("rb") as file:
        return not file.read(1)


def _no_log(path: ExportPath) -> ExportError:
    return ExportError(
        f'{path}: no message of IRC in it, expected lines like "10:02 <nick> text", "[10:02:33] <nick> text" or '
        '"2024-01-02 10:02:33, tab, nick, tab, text": remove the file'
    )


def _me(log: Log) -> str | None:
    """My nick: the one that speaks most of those that the log calls mine, or the one beside the person I talk to.

    What was said under a nick that I changed before the log calls any mine can't be told from the others' words: one of
    mine has to have spoken before that.
    """
    known = log.mine & log.before
    own = [nick for nick, _ in log.nicks.most_common() if nick in known]
    if own:
        return own[0]
    others = [nick for nick in log.nicks if same_name(nick, log.channel)]
    if len(log.nicks) == 2 and len(others) == 1:
        return next(nick for nick in log.nicks if nick != others[0])
    return None


def _named(path: ExportPath) -> tuple[str, str, datetime | None]:
    """Network, channel or person, and day, as far as the names of the file and its folders say them."""
    folder = PurePath(str(path.parent))
    while folder.name.isdecimal():
        folder = folder.parent  # a year, a month
    stem, day = path.stem, None
    if match := DATE.fullmatch(stem):
        stem, *numbers = match.groups()
        try:
            day = datetime(*map(int, numbers))  # type: ignore[arg-type]
        except ValueError:
            stem = path.stem
    if not stem:
        # ZNC: network/channel/2024-01-02.log
        return folder.parent.name, folder.name, day
    if match := WEECHAT.fullmatch(stem) or ZNC.fullmatch(stem) or XCHAT.fullmatch(stem):
        return match[1], match[2], day
    return folder.name, stem, day
