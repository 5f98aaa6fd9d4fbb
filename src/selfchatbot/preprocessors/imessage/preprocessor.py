"""iMessage chats as ReagentX/imessage-exporter writes them with ``-f txt``, versions 1 to 4.

Grammar: ``exporters/txt.rs`` (later ``exporters/txt/``), ``app/runtime.rs`` and ``util/dates.rs`` of the exporter. One
file per chat; a message is a line with its date, a line with its sender, and its parts up to an empty line::

    May 17, 2022  5:29:42 PM (Read by you after 1 hour, 49 seconds)
    Sample Contact
    what was typed, or the path of an attachment, or what the exporter says about a bubble of an app
    Sent with Confetti
    Tapbacks:
        Loved by Me
    This message responded to an earlier message.

The replies to a message follow it, indented by four blanks (up to version 3 only the first line of each part of them),
and stand once more at their own time. What stands below the first reply to a message is left out, since it may be the
reply's.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from pathlib import Path, PurePath
from typing import ClassVar

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.imessage.parts import DATE, DURATION, INDENT, besides_text, strip_blank, typed
from selfchatbot.preprocessors.reading.dates import MONTHS
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.tapbacks import Tapbacks
from selfchatbot.preprocessors.reading.unread import Unread

ME = "Me"
ORPHANED = "orphaned"
HEAD = 2000
"""Lines in which the name is looked for that the exporter was told to write instead of ``Me``."""
START = re.compile(rf"({DATE})(?: \(Read by (.+) after ({DURATION})\))?")
LOOKS_LIKE_ONE = re.compile(
    r"[^\W\d]{3,9}\.? \d{1,2}, \d{4},? {1,3}\d{1,2}:\d\d(?::\d\d)?[ \u202f\u00a0]?(?:[AaPp]\.?[Mm]\.?)?(?: \(.*\))?\Z"
)
"""A date in the place of one, however it is written."""
FIELDS = re.compile(r"(\w{3}) (\d+), (\d+) +(\d+):(\d+):(\d+).([AP])M")
ANNOUNCEMENT = re.compile(
    rf"Unable to format announcement!|{DATE} .+ (?:named the conversation .*|renamed the conversation to .*"
    r"|added .+ to the conversation\.|removed .+ from the conversation\.|left the conversation\."
    r"|(?:changed|removed) the (?:group photo|chat background)\.|changed their phone number\.|kept an audio message\."
    r"|unsent a message!|performed unknown action \d+)"
)
RESPONDED = "This message responded to an earlier message."


class IMessage(Preprocessor):
    """iMessage and SMS chats of a Mac or iPhone, one .txt file each."""

    name: ClassVar[str] = "iMessage"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        # Exports of one chat, made at different times, come one after the other.
        exports = sorted(self.export_files(path), key=lambda file: file.stem)
        # A chat in which nobody's words were marked as read doesn't tell the name that others do.
        heads = (islice(decoded_lines(file), HEAD) for file in exports)
        names = list(dict.fromkeys(name for head in heads if (name := _custom_name(head))))
        for file in exports:
            export = ExportFile(path=file, chat=file.stem)
            files.append(export)
            yield from chronological(_read_file(export, names))

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        first, _, second = head.decode(errors="replace").replace("\r\n", "\n").partition("\n")
        return bool(ANNOUNCEMENT.fullmatch(first) or (START.fullmatch(first) and second[:1].strip()))

    def _is_export(self, path: PurePath) -> bool:
        # What people sent one another may well be a .txt.
        return super()._is_export(path) and "attachments" not in path.parts[-3:-1]


@dataclass(slots=True)
class _Raw:
    """A message as the file has it."""

    time: datetime
    sender: str
    body: list[str] = field(default_factory=list)


def _read_file(export: ExportFile, names: list[str]) -> Iterator[Message]:
    """The messages of a file; ``names`` are those that any of the files has instead of ``Me``."""
    lines = decoded_lines(export.path)
    head = list(islice(lines, HEAD))
    if export.chat == ORPHANED:
        # Messages of many people whose chats are gone: nobody knows who talked to whom.
        if head:
            export.notes.append("messages that belong to no chat are left out")
        return
    export.me = _custom_name(head) or _sender(head, names)
    replies: dict[tuple[datetime, str], str] = {}
    tapbacks = Tapbacks()  # of phones that know none, in chats by SMS
    unread = Unread()
    for raw in _raw_messages(chain(head, lines), unread):
        export.add(raw.time)
        is_reply, answers = _split(raw.body)
        content = typed(raw.body)
        media = besides_text(raw.body) if not content or len(raw.body) > content.count("\n") + 1 else ""
        if not (content or media) or tapbacks.is_one(content):
            continue
        identity = _identity(raw, content) if answers else None
        for answer in answers if identity else ():
            replies[answer] = identity or ""
        reply_to = replies.pop((raw.time, raw.sender), None) if is_reply else None
        yield Message(raw.time, raw.sender, content, export.chat, identity, reply_to, media=media)
    export.notes.extend(unread.notes())
    if not export.messages:
        _refuse(export.path, head)


def _custom_name(head: Iterable[str]) -> str | None:
    """The name given with ``--custom-name``: it is the one who read what others wrote."""
    for line in head:
        if line.endswith(")") and (match := START.fullmatch(line)) and match[2] not in (None, "you", "them"):
            return match[2]
    return None


def _sender(head: list[str], names: list[str]) -> str:
    """``Me`` or the one of ``names`` that sends messages here."""
    senders = {line for start, line in pairwise(head) if start[:1].isupper() and _time(start)}
    return next((name for name in (ME, *names) if name in senders), names[0] if names else ME)


def _refuse(path: ExportPath, head: list[str]) -> None:
    if any(ANNOUNCEMENT.fullmatch(line) for line in head):
        return
    if not any(head):
        raise ExportError(f"{path} is empty: export the chat again, or remove the file")
    raise ExportError(
        f'{path}: no message of imessage-exporter in it, expected a line like "May 17, 2022  5:29:42 PM" and one with '
        "the sender: export with -f txt, or remove the file"
    )


def _raw_messages(lines: Iterator[str], unread: Unread) -> Iterator[_Raw]:
    """Messages and what stands below their senders, up to the next message or announcement."""
    current: _Raw | None = None
    senders: set[str] = set()
    pending: tuple[datetime, str] | None = None
    last = datetime.min
    blank = True
    for number, line in enumerate(lines, 1):
        if pending is not None:
            (time, date_line), pending = pending, None
            # A log that somebody pasted is older, and by somebody unknown.
            is_pasted = last - time > timedelta(days=1) and line not in senders
            if line.strip() and not line.startswith(INDENT) and not is_pasted:
                if current is not None:
                    yield current
                current, last, blank = _Raw(time, line), time, False
                senders.add(line)
                continue
            if current is not None:
                current.body.append(date_line)
        if blank and line and line[0].isupper():
            if time_of := _time(line):
                pending = (time_of, line)
                continue
            if ANNOUNCEMENT.fullmatch(line):
                if current is not None:
                    yield current
                current = None
            elif LOOKS_LIKE_ONE.match(line):
                unread.add(number)
        if current is not None:
            current.body.append(line)
        blank = not line
    if current is not None:
        yield current


def _time(line: str) -> datetime | None:
    """The date of a line that begins a message."""
    if not line.endswith(("M", ")")) or (match := START.fullmatch(line)) is None:
        return None
    fields = FIELDS.match(match[1])
    if fields is None:
        return None
    month, hour = MONTHS.get(fields[1].lower(), 0), int(fields[4])
    hour = hour % 12 + (12 if fields[7] == "P" else 0)
    try:
        return datetime(int(fields[3]), month, int(fields[2]), hour, int(fields[5]), int(fields[6]))
    except ValueError:
        return None


def _split(body: list[str]) -> tuple[bool, list[tuple[datetime, str]]]:
    """Cut off the replies that are repeated in ``body``; whether it is a reply itself, and date and sender of those."""
    strip_blank(body)
    is_reply = bool(body) and body[-1] == RESPONDED
    if is_reply:
        body.pop()
    answers: list[tuple[datetime, str]] = []
    first = len(body)
    for index, line in enumerate(body[:-1]):
        if line.startswith(INDENT) and body[index + 1].startswith(INDENT) and (time := _time(line[4:])):
            answers.append((time, body[index + 1][4:]))
            first = min(first, index)
    del body[first:]
    return is_reply, answers


def _identity(raw: _Raw, content: str) -> str:
    """The exporter leaves the ids out: the same message has the same one in every export."""
    return hashlib.sha256(f"{raw.time.isoformat()}\n{raw.sender}\n{content}".encode()).hexdigest()[:16]
