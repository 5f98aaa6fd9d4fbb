r"""Signal chats: Signal's own export (`native`), and those of carderne/signal-export, from 2019 to 3.x.

signal-export makes a folder for each chat, with ``data.json`` (one JSON object per line) and ``chat.md`` (first
``index.md``). data.json is preferred, because only there the text is not mixed with what belongs to it. Grammar:
``create.py``, ``models.py`` and ``main.py`` of the exporter. Per message, chat.md holds::

    [2024-01-05 18:30:12] Sender: QUOTE TEXT␣␣ REACTIONS STICKER ATTACHMENTS

where QUOTE is ``\n\n> quoted\n\n``, REACTIONS ``\n(- Name: emoji, Name: emoji -)``, STICKER ``\n(( emoji ))`` or a link
to ``../exported_stickers/``, ATTACHMENTS are links to ``./media/``, and the two blanks that end the text are always
there, unless an editor took them away. Since the second version an empty line follows each message. Times are those of
the exporting machine. Backticks are missing in both files: the exporter takes them out of what people wrote.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any, ClassVar, NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.media import CALL as A_CALL
from selfchatbot.preprocessors.media import MEDIA, by_name, sticker
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.order import chronological
from selfchatbot.preprocessors.reading.unique_names import visible
from selfchatbot.preprocessors.reading.unread import Unread
from selfchatbot.preprocessors.signal.native import FILE_NAME, read_export

ME = "Me"
PAD = "  "
JSON_NAME = "data.json"
MD_NAMES = ("chat.md", "index.md")
NO_CHATS = ("manifest.json", "meta.json", "metadata.json")
DELETED = "(This message was deleted)"
HEADER = re.compile(r"\[(\d{4}-\d\d-\d\d),? (\d\d:\d\d(?::\d\d)?)\] (.+?):(?: (.*)|$)")
QUOTE = re.compile(r"\n\n(?:>[^\n]*\n)+\n")
REACTIONS = re.compile(r"\n\(- [^\n]+ -\)\Z")
STICKER = re.compile(r"\n\(\( [^\n]+ \)\)\Z|\[[^\[\]\n]*\]\(\.\./exported_stickers/[^()\s]*\)  \Z")
MISSING = re.compile(r"\((?:media|attachment) not exported\)  \Z")
CALL = re.compile(
    r"Missed (?:\w+ )?call|(?:Incoming|Outgoing) (?:\w+ )?call"
    r"(?: \((?:accepted(?:, (?:\d+m )?\d+s)?|declined by recipient|\w+)\))?"
)
HEAD = 2000
"""Lines that show how a chat.md is laid out."""


class _Entry(NamedTuple):
    time: datetime
    sender: str
    text: str
    """What the author typed; empty for calls, deleted messages and attachments alone."""
    id: str | None = None
    media: str = ""


class Signal(Preprocessor):
    """Signal chats: one file for all of Signal's own export, one folder for each of signal-export."""

    name: ClassVar[str] = "Signal"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".md", ".jsonl")
    companions: ClassVar[tuple[str, ...]] = NO_CHATS

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        # Exports of one chat, made at different times, come one after the other.
        for file in sorted(self.export_files(path), key=_chat):
            if file.suffix.lower() == ".jsonl":
                yield from read_export(file, files)
                continue
            export = ExportFile(path=file, chat=_chat(file), me=ME, group=_group(file))
            files.append(export)
            unread = Unread()
            entries = _json_entries(file) if file.suffix.lower() == ".json" else _md_entries(file, unread)
            yield from chronological(_typed_in(entries, export))
            export.notes.extend(unread.notes())

    def export_files(self, path: Path) -> list[ExportPath]:
        """One file per chat: ``chat.md`` only where there is no ``data.json``, or no .json of the same name."""
        best: dict[tuple[str, str], ExportPath] = {}
        found = super().export_files(path)
        # What lies around Signal's own export are the files that people sent one another.
        native = {PurePath(str(file)).parent for file in found if file.name == FILE_NAME}
        for file in found:
            if file.name != FILE_NAME and not native.isdisjoint(PurePath(str(file)).parents):
                continue
            key = (str(file.parent), "" if file.name in (JSON_NAME, *MD_NAMES) else file.stem)
            if key not in best or _rank(file) < _rank(best[key]):
                best[key] = file
        return list(best.values())

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() == ".jsonl":
            return b'"backupTimeMs"' in head or b'{"chatItem"' in head
        line = head.split(b"\n", 1)[0].decode(errors="replace")
        if path.suffix.lower() == ".json":
            return line.startswith('{"date": "') and '"sender": ' in line
        return HEADER.fullmatch(line.removesuffix("\r")) is not None

    def _is_export(self, path: PurePath) -> bool:
        if path.name in (FILE_NAME, JSON_NAME, *MD_NAMES):
            return True
        if path.suffix.lower() == ".jsonl":
            return False
        # What people sent one another may well be a .md or a .json.
        return super()._is_export(path) and path.name not in NO_CHATS and path.parent.name != "media"


def _typed_in(entries: Iterator[_Entry], export: ExportFile) -> Iterator[Message]:
    for entry in entries:
        export.add(entry.time)
        if entry.media or entry.text.strip():
            content = entry.text if entry.text.strip() else ""
            yield Message(entry.time, visible(entry.sender), content, export.chat, entry.id, media=entry.media)


def _rank(file: ExportPath) -> int:
    return ("json", "chat.md", "index.md").index("json" if file.suffix.lower().startswith(".json") else file.name)


def _chat(file: ExportPath) -> str:
    named = file.name in (JSON_NAME, *MD_NAMES)
    return PurePath(str(file)).parent.name if named else file.stem


def _group(file: ExportPath) -> bool | None:
    """``--chat-members`` writes a meta.json into the folders of groups."""
    return True if isinstance(file, Path) and file.with_name("meta.json").is_file() else None


def _json_entries(path: ExportPath) -> Iterator[_Entry]:
    for number, line in enumerate(decoded_lines(path), 1):
        if line and not line.isspace():
            yield _json_entry(line, f"{path}, line {number}")


def _json_entry(line: str, place: str) -> _Entry:
    try:
        values: Any = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ExportError(f"{place}: expected one JSON object per line, as signal-export writes: export it again")
    try:
        time = datetime.fromisoformat(values["date"]).replace(tzinfo=None)
        # A contact without a name has none in the export either.
        sender, body = values["sender"] or "None", values["body"]
        if not (isinstance(sender, str) and isinstance(body, str)):
            raise TypeError
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(
            f'{place}: expected "date" (ISO 8601), "sender" and "body" of signal-export: export it again, or remove '
            "the file"
        ) from error
    text, media = body.removesuffix(PAD), _besides_text(values)
    # Only since 2026 the exporter says which messages are calls.
    if values.get("deleted") or (values["call"] if "call" in values else CALL.fullmatch(text)):
        text, media = "", "" if values.get("deleted") else A_CALL
    return _Entry(time, sender, text, str(values["id"]) if values.get("id") else None, media)


def _besides_text(values: dict[str, Any]) -> str:
    """The kind, as in `preprocessors.media`; of several attachments that of the first."""
    if values.get("sticker"):
        return sticker(values["sticker"])
    match values.get("attachments"):
        case [{"name": str(name)}, *_]:
            return by_name(name)
        case [_, *_]:
            return MEDIA
    return ""


class _Layout(NamedTuple):
    """How one chat.md is written."""

    padded: bool
    """Whether the text of each message ends in two blanks."""
    spaced: bool
    """Whether an empty line follows each message."""

    def ends(self, body: list[str]) -> bool:
        """Whether a message can end after these lines, so that the next one may begin."""
        if self.spaced and body[-1]:
            return False
        return not self.padded or _is_closed(body) or (body[0] == DELETED and not any(body[1:]))


def _md_entries(path: ExportPath, unread: Unread) -> Iterator[_Entry]:
    lines = decoded_lines(path)
    head = list(islice(lines, HEAD))
    layout = _layout(head)
    current: _Entry | None = None
    body: list[str] = []
    blank = True
    for number, line in enumerate(chain(head, lines), 1):
        begins = line.startswith("[") and (current is None or layout.ends(body))
        entry = _header(line) if begins else None
        if begins and entry is None and HEADER.fullmatch(line):
            unread.add(number)
        if entry is not None:
            if current is not None:
                yield current._replace(text=_typed(body, layout))
            current, body = entry, [entry.text]
        elif current is not None:
            body.append(line)
        blank = blank and not line
    if current is not None:
        yield current._replace(text=_typed(body, layout))
    elif not blank:
        raise ExportError(
            f'{path}: no message of signal-export in it, expected lines like "[2024-01-05 18:30:12] Me: ...": remove it'
        )


def _header(line: str) -> _Entry | None:
    match = HEADER.fullmatch(line)
    if match is None:
        return None
    try:
        return _Entry(datetime.fromisoformat(f"{match[1]} {match[2]}"), match[3], match[4] or "")
    except ValueError:
        return None


def _layout(head: list[str]) -> _Layout:
    """What the first messages have in common; the end of the file ends a message as well."""
    closed = spaced = headers = 0
    for index in range(1, len(head) + (len(head) < HEAD)):
        if index == len(head) or _header(head[index]) is not None:
            before = head[max(0, index - 20) : index]
            headers += 1
            spaced += not before[-1]
            closed += _is_closed(before)
    # Logs that somebody pasted have headers, too; but where an editor took the blanks away, it took them all.
    return _Layout(padded=10 * closed >= headers > 0, spaced=2 * spaced > headers)


def _is_closed(lines: list[str]) -> bool:
    """Whether the last of these lines end a text that is followed by two blanks."""
    for line in reversed(lines):
        if line and not (line.startswith(("(- ", "(( ")) and line.endswith((" -)", " ))"))):
            return line.endswith(PAD)
    return False


def _typed(body: list[str], layout: _Layout) -> str:
    """What the author typed, from the lines behind the header of a message."""
    while len(body) > 1 and not body[-1]:
        body.pop()
    text = "\n".join(body)
    if text.rstrip() == DELETED and (not layout.padded or not text.endswith(PAD)):
        return ""
    if not layout.padded:
        text = f"{text.rstrip()}{PAD}"
    quote = QUOTE.match(text)
    if quote is not None:
        text = text[quote.end() :]
    while (rest := _without_last(text)) is not None and (not layout.padded or _is_closed(rest.rsplit("\n", 2))):
        text = rest if layout.padded else f"{rest.rstrip()}{PAD}"
    text = text.removesuffix(PAD)
    return "" if CALL.fullmatch(text) else text


def _without_last(text: str) -> str | None:
    """``text`` without the attachment, sticker or reactions at its end, None where there is no such thing."""
    if (rest := _without_attachment(text)) is not None:
        return rest
    bare = text.removesuffix(PAD)
    for pattern, candidate in ((STICKER, text), (STICKER, bare), (MISSING, text), (REACTIONS, bare)):
        if match := pattern.search(candidate, max(0, candidate.rfind("\n"))):
            return candidate[: match.start()]
    return None


def _without_attachment(text: str) -> str | None:
    end = text.removesuffix(PAD)
    link = max(end.rfind("](./media/"), end.rfind("](./media\\"))
    if link < 0 or not end.endswith(")"):
        return None
    path = end[link + len("](./media/") : -1]
    # The path is the name with %20 for white space, so the name is at most so much shorter.
    for blanks in range(min(path.count("%20"), 100) + 1):
        start = link - len(path) + 2 * blanks
        if start > 0 and text[start - 1] == "[":
            name = text[start:link]
            if path in (re.sub(r"\s", "%20", name), name.replace(" ", "%20")):
                return text[: start - 1].removesuffix("!")
    return None
