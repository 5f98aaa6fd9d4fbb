"""What WhatsApp-Chat-Exporter (KnugiHK) makes of WhatsApp's database with ``--json``: all chats, or one each.

Grammar: ``data_model.py``, ``android_handler.py`` and ``ios_handler.py`` of the program, 0.9 to 0.13. The file is an
object of chats by their WhatsApp id (``49151…@s.whatsapp.net``, ``…@g.us`` for groups), each with ``name``, ``type``
(``android``, ``ios``, ``exported``) and ``messages``, an object again. A message has ``from_me``, ``timestamp``
(seconds since 1970, UTC), ``sender`` (in groups), ``data``, and ``key_id``, to which the ``reply`` of another one
refers. ``data`` is what was typed, with ``<br>`` for new lines; for media, it is a path, and what was typed is the
``caption``. With ``meta``, the program or WhatsApp wrote it. Kinds of messages (``message_type``, the numbers of
WhatsApp's own databases): the ``Extractor`` classes of sepinf-inc/IPED.
"""

import re
from collections.abc import Iterator
from typing import Any

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.media import CALL, CONTACT, LOCATION, MEDIA, PHOTO, STICKER, VIDEO, by_content_type
from selfchatbot.preprocessors.media import VOICE as A_VOICE
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import milliseconds, moment

ME = "Me"
BEGINNING = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:[^"@\s]+@[a-z.]+|0{15}|ExportedChat)"\s*:\s*\{\s*"(?:name|type)"'
)
HEAD_BYTES = 4096
PLACES = ("*", "*.name", "*.type", "*.messages{}")
STORIES, CALLS, GROUP = "status@broadcast", "000000000000000", "@g.us"
NEW_LINE = re.compile(r" ?<br>")
TEXT = {"android": (0, 1, 3), "ios": (0, 7)}
"""Kinds of messages whose ``data`` was typed where it is no path."""
CAPTIONED = {"android": (1, 3), "ios": (1, 2)}
"""Pictures and videos, in this order. The captions of documents are the names of files."""
VOICE = {"android": 2}
"""The caption of a voice message is its transcript, in quotation marks."""
WRITTEN = {
    "Location shared: ": LOCATION,
    "A voice call was missed": CALL,
    "A video call was missed": CALL,
    "This media include the following vCard file(s):": CONTACT,
}
"""How the program begins what it writes for something that has no text."""


def is_text_or_export(path: ExportPath) -> bool:
    """Whether a file is no .json, or one of the program's."""
    if path.suffix.lower() != ".json":
        return True
    try:
        with path.open("rb") as file:
            return BEGINNING.match(file.read(HEAD_BYTES)) is not None
    except (OSError, SelfChatBotError):
        return True  # reading it says what is wrong


def first_time(path: ExportPath) -> int:
    """The time of the first message, to sort by; 0 if there is none."""
    try:
        for _, value in json_values(path, "*.messages{}"):
            for record in value:
                return milliseconds(record["timestamp"], 1000)
    except (CutShortError, NoObjectError, TypeError, KeyError, ValueError):
        pass
    return 0


def read_export(path: ExportPath, me: str, chats: Names, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of a file, chat by chat and by time, mine by ``me``; each chat with messages becomes an ExportFile.

    Raises ExportError for what can't be read.
    """
    key = name = kind = ""
    files_before = len(files)
    found = False
    try:
        for place, value in json_values(path, *PLACES):
            if place == "*":
                key, name, kind = value, "", ""
            elif place == "*.messages":
                found = True
                if key not in (STORIES, CALLS):
                    chat = _Chat(path, chats.of(key, name or key.partition("@")[0]), kind, me)
                    chat.file.group = key.endswith(GROUP)
                    yield from chat.messages(value, files)
            elif not isinstance(value, str | None):
                raise ExportError(f"{path}: a chat whose {place.removeprefix('*.')} is no text: export it again")
            elif place == "*.name":
                name = value or ""
            else:
                kind = value or ""
    except CutShortError:
        if len(files) == files_before:
            raise
        files[-1].notes.append("the export was cut short: what it has was read; export it again for the rest")
    except NoObjectError:
        found = False
    if not found:
        raise ExportError(f"{path}: no chat of WhatsApp-Chat-Exporter, expected its --json: remove the file")


class _Chat:
    """One chat of a file."""

    def __init__(self, path: ExportPath, name: str, kind: str, me: str) -> None:
        self.file = ExportFile(path, name, me=me)
        self._kind = kind
        self._me = me

    def messages(self, records: Iterator[Any], files: list[ExportFile]) -> Iterator[Message]:
        """What was typed, by time."""
        for time, author, text, number, answered, media in oldest_to_newest(self._rows(records, files)):
            yield Message(moment(time), author, text, self.file.chat, number, answered, media=media)

    def _rows(self, records: Iterator[Any], files: list[ExportFile]) -> Iterator[Row]:
        file = self.file
        for record in records:
            if not file.messages:
                files.append(file)  # most contacts of the address book have no messages
            try:
                time = milliseconds(record["timestamp"], 1000)
                author = self._me if record["from_me"] else _text(record.get("sender")) or file.chat
                text, media = self._typed(record)
                number, answered = _id(record.get("key_id")), _id(record.get("reply"))
            except (TypeError, KeyError, ValueError, AttributeError):
                raise ExportError(
                    f"{file.path}, message {file.messages + 1:,} of a chat: its timestamp, sender or data is not as "
                    "expected: export it again"
                ) from None
            file.add(moment(time))
            if text.isspace():
                text = ""
            if text or media:
                yield time, author, text, number, answered, media

    def _typed(self, record: dict[str, Any]) -> tuple[str, str]:
        """What was typed, and what was sent besides text."""
        data, caption, kind = _text(record.get("data")), _text(record.get("caption")), record.get("message_type")
        if record.get("sticker"):
            return "", STICKER
        if record.get("media"):
            if kind is not None and kind == VOICE.get(self._kind):
                said = caption.removeprefix('"').removesuffix('"')
                return said, "" if said else A_VOICE
            mime, pictures = _text(record.get("mime")), CAPTIONED.get(self._kind, ())
            if kind in pictures:
                return caption, (PHOTO, VIDEO)[pictures.index(kind)]
            return caption if mime.startswith(("image/", "video/")) else "", _by_mime(mime)
        if record.get("meta") or kind not in (None, *TEXT.get(self._kind, ())):
            return "", next((media for start, media in WRITTEN.items() if data.startswith(start)), "")
        return NEW_LINE.sub("\n", data or caption), ""


def _by_mime(mime: str) -> str:
    """The kind of a file. WhatsApp's own recordings are Opus; "media" is one that is missing."""
    return A_VOICE if "opus" in mime else by_content_type(mime) if "/" in mime else MEDIA


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError
    return value or ""


def _id(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise TypeError
    return None if value is None else str(value)
