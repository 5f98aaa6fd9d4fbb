r"""iMessage chats as ReagentX/imessage-exporter writes them with ``-f txt``, versions 1 to 4.

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
and stand once more at their own time. Nothing marks where one part ends and the next begins: what has the exact form of
an attachment, sticker, tapback, app bubble or link preview is taken for it, all else was typed. What stands below the
first reply to a message is left out, since it may be the reply's.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise, takewhile
from pathlib import Path, PurePath
from typing import ClassVar

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor, decoded_lines

ME = "Me"
INDENT = "    "
ORPHANED = "orphaned"
HEAD = 2000
"""Lines in which the name is looked for that the exporter was told to write instead of ``Me``."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = r"[A-Z][a-z]{2} \d\d, \d{4} (?: \d|1[0-2]):\d\d:\d\d[ \u202f\u00a0][AP]M"
START = re.compile(rf"({DATE})(?: \(Read by (.+) after (\d+ \w+(?:, \d+ \w+)*)\))?")
FIELDS = re.compile(r"(\w{3}) (\d+), (\d+) +(\d+):(\d+):(\d+).([AP])M")
ANNOUNCEMENT = re.compile(
    rf"Unable to format announcement!|{DATE} .+ (?:named the conversation .*|renamed the conversation to .*"
    r"|added .+ to the conversation\.|removed .+ from the conversation\.|left the conversation\."
    r"|(?:changed|removed) the (?:group photo|chat background)\.|changed their phone number\.|kept an audio message\."
    r"|unsent a message!|performed unknown action \d+)"
)
DELETED = "This message was deleted from the conversation!"
RESPONDED = "This message responded to an earlier message."
TRANSLATED = "Translated from:"
FIRST_VERSION = re.compile(rf"{DATE} (.*)")
LATER_VERSION = re.compile(r"Edited (?:\d+ \w+(?:, \d+ \w+)*)? later: (.*)")
TAPBACKS = ("Tapbacks:", "Reactions:")
TAPBACK = re.compile(
    rf"(?:{INDENT})?(?:(?:Loved|Liked|Disliked|Laughed|Emphasized|Questioned|[^\x00-\x7f]\S*|[\d*#]\ufe0f?\u20e3) by .+"
    r"|(?:\w+ )?Sticker from .+)"
)
EFFECTS = frozenset(
    f"Sent with {effect}"
    for effect in (
        *("Confetti", "Echo", "Fireworks", "Balloons", "Heart", "Lasers", "Shooting Star", "Shooting Start"),
        *("Sparkles", "Spotlight", "Slam", "Loud", "Gentle", "Invisible Ink"),
    )
)
# Copied attachments stand in "attachments/", others in the folders of Messages or in a backup; of one that is gone only
# the name is left, which has to be one that a phone gives.
ATTACHMENT = re.compile(
    r"attachments[/\\][^/\\]+[/\\].+"
    r"|(?:~|/|[A-Za-z]:\\).*[/\\](?:[Aa]ttachments[/\\].+|StickerCache[/\\].+|[0-9a-f]{2}[/\\][0-9a-f]{40})"
    r"|(?:IMG_E?\d+|image\d+|FullSizeRender|RPReplay_\w+|[0-9A-F]{8}-[0-9A-F-]{27}|(?:Audio Message|Screen ?[Ss]hot).*)"
    r"\.\w{2,4}|[^\s/\\]+\.pluginPayloadAttachment|Attachment missing!|Unable to format app message: .*"
)
TRANSCRIPTION = "Transcription: "
STICKER = re.compile(r"(?:\w+ )?Sticker from .+: .+[/\\.].+")
UNSENT = re.compile(r".+ unsent this message part(?: (?:\d+ \w+(?:, \d+ \w+)*)? after sending)?!")
BUBBLE = re.compile(
    # Generic apps and documents that are worked on together: the app's name or bundle, then what the app says.
    r"(?:[A-Z][\w.&'+-]*(?: [\w.&'+-]+){0,3}|[a-z]+(?:\.[\w-]+){2,}) message:(?:\n.*)?"
    r"|Apple (?:Cash|Pay) transaction: .*|.* transaction: unknown amount|(?:Fitness|Activity) message: .*"
    rf"|Photo album: .*|Find My: .*|Check\sIn(?:: .*|.*\n(?:Expected|Was expected|Checked in) at {DATE})"
    r"|Digital Touch (?:Message: .*|\w+ \(.*\))|Handwritten messages are not yet supported!"
    r"|- [^\n]+ \(\d+\)(?:\n(?:- [^\n]+ \(\d+\)|  - [^\n]+))*"
    r"|SharePlay Message\nEnded|(?:Started|Stopped) sharing location!|Shared location!"
    r"|(?:You|They) deleted a message\.",
    re.DOTALL,
)
URL = re.compile(r"https?://\S+")
APPLE_URL = re.compile(r"https://(?:music|itunes|apps|maps)\.apple\.com/\S*")


class IMessage(Preprocessor):
    """iMessage and SMS chats of a Mac or iPhone, one .txt file each."""

    name: ClassVar[str] = "iMessage"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    def read(self, path: Path, files: list[ExportFile] | None = None) -> Iterator[Message]:
        seen: list[ExportFile] = [] if files is None else files
        # Exports of one chat, made at different times, come one after the other.
        exports = sorted(self.export_files(path), key=lambda file: file.stem)
        # A chat in which nobody's words were marked as read doesn't tell the name that others do.
        heads = (islice(decoded_lines(file), HEAD) for file in exports)
        names = list(dict.fromkeys(name for head in heads if (name := _custom_name(head))))
        for file in exports:
            export = ExportFile(path=file, chat=file.stem)
            seen.append(export)
            yield from _read_file(export, names)

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
    for raw in _raw_messages(chain(head, lines)):
        export.messages += 1
        export.first = min(export.first or raw.time, raw.time)
        export.last = max(export.last or raw.time, raw.time)
        is_reply, answers = _split(raw.body)
        content = _typed(raw.body)
        if not content:
            continue
        identity = _identity(raw, content) if answers else None
        for answer in answers if identity else ():
            replies[answer] = identity or ""
        reply_to = replies.pop((raw.time, raw.sender), None) if is_reply else None
        yield Message(raw.time, raw.sender, content, export.chat, identity, reply_to)
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


def _raw_messages(lines: Iterator[str]) -> Iterator[_Raw]:
    """Messages and what stands below their senders, up to the next message or announcement."""
    current: _Raw | None = None
    senders: set[str] = set()
    pending: tuple[datetime, str] | None = None
    last = datetime.min
    blank = True
    for line in lines:
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
    if fields is None or fields[1] not in MONTHS:
        return None
    month, hour = MONTHS.index(fields[1]) + 1, int(fields[4])
    hour = hour % 12 + (12 if fields[7] == "P" else 0)
    try:
        return datetime(int(fields[3]), month, int(fields[2]), hour, int(fields[5]), int(fields[6]))
    except ValueError:
        return None


def _split(body: list[str]) -> tuple[bool, list[tuple[datetime, str]]]:
    """Cut off the replies that are repeated in ``body``; whether it is a reply itself, and date and sender of those."""
    _strip_blank(body)
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


def _typed(lines: list[str]) -> str:
    """What the author typed, in its last version; empty for what was deleted."""
    if not lines or lines[0] == DELETED:
        return ""
    if TRANSLATED in lines[1:]:
        lines = lines[lines.index(TRANSLATED, 1) + 1 :]
    lines = _without_parts(_last_version(lines))
    _strip_blank(lines)
    if not lines or BUBBLE.fullmatch("\n".join(lines)):
        return ""
    # Title and summary of a page, or name and artist of a song, are not the words of who shared it.
    urls = list(takewhile(URL.fullmatch, lines))
    if urls and lines[len(urls) : len(urls) + 1] != [""]:
        lines = urls
    elif len(lines) > 1:
        lines = [line for line in lines if APPLE_URL.fullmatch(line)] or lines
    return "\n".join(lines)


def _last_version(lines: list[str]) -> list[str]:
    """An edited part holds all its versions: the first one with its date, then ``Edited 5 seconds later: ...``."""
    for index, line in enumerate(lines):
        if line[:1].isupper() and (first := FIRST_VERSION.fullmatch(line)):
            later = [
                (number, match[1])
                for number in range(index + 1, len(lines))
                if (match := LATER_VERSION.fullmatch(lines[number]))
            ]
            end, text = later[-1] if later else (index, first[1])
            if later or index == 0:
                return [*lines[:index], text, *lines[end + 1 :]]
    return lines


def _without_parts(lines: list[str]) -> list[str]:
    """``lines`` without attachments, stickers, effects, tapbacks and what was unsent."""
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if line in TAPBACKS and index < len(lines) and TAPBACK.fullmatch(lines[index]):
            while index < len(lines) and TAPBACK.fullmatch(lines[index]):
                index += 1
        elif ATTACHMENT.fullmatch(line):
            index += index < len(lines) and lines[index].startswith(TRANSCRIPTION)
        elif not (STICKER.fullmatch(line) or UNSENT.fullmatch(line) or (index > 1 and line in EFFECTS)):
            # U+FFFC holds the place of an attachment in the text.
            kept.append(line.replace("\ufffc", ""))
    return kept


def _strip_blank(lines: list[str]) -> None:
    """Take empty lines off both ends."""
    while lines and not lines[-1].strip():
        lines.pop()
    start = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    del lines[:start]
