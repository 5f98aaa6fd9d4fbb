"""Signal's own export of chats, from 2026 on: ``main.jsonl``, beside ``metadata.json`` and the folder ``files``.

Grammar: ``backup.proto`` of signalapp/libsignal, whose frames are the lines of the file as JSON: one ``account``, then
``recipient``, ``chat`` and, of all chats mixed, ``chatItem``. Numbers of 64 bits are strings. What was typed is the
``text`` of a ``standardMessage``, or of an answer to a story; a message that was edited holds its last version and the
time of it, and the earlier ones in ``revisions``, oldest first (``incoming-message-with-edits.jsonproto``). Times
(``dateSent``, milliseconds since 1970) are read as UTC.
"""

import json
from collections.abc import Iterator
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.media import CONTACT, STICKER, VOICE, by_content_type, sticker
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import LAST, moment

FILE_NAME = "main.jsonl"
MENTION = "\ufffc"
"""Holds the place of a mention in a text."""
NOTE_TO_SELF = "Note to Self is for yourself, nobody answers there: left out"


def read_export(path: ExportPath, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of an export, chat by chat and by time; one ExportFile for each chat is appended to ``files``.

    Raises ExportError with the line for what can't be read.
    """
    with Sorter(path) as sorter:
        export = _Export(path)
        for item in export.items():
            sorter.add(item)
        yield from export.messages(sorter, files)


class _Export:
    """One main.jsonl."""

    def __init__(self, path: ExportPath) -> None:
        self._path = path
        self._line = 0
        self._account: dict[str, Any] = {}
        self._recipients: dict[str, dict[str, Any]] = {}
        self._chats: dict[str, str] = {}
        """Recipients by chats."""
        self._by_aci: dict[str, str] = {}
        self._first_sent: dict[str, int] = {}
        """When edited messages were sent first, by the time of each version and its author."""
        self._names = Names()
        self._notes: list[str] = []

    def messages(self, sorter: Sorter, files: list[ExportFile]) -> Iterator[Message]:
        """What was typed, after all `items` are in ``sorter``."""
        me = self._name(next((key for key, one in self._recipients.items() if "self" in one), ""))
        for chat, items in sorter.chats():
            recipient = self._recipients.get(self._chats.get(chat, ""), {})
            file = ExportFile(self._path, self._name(self._chats.get(chat, "")), me=me, group="group" in recipient)
            file.notes, self._notes = self._notes, []
            if "self" in recipient:
                file.notes.append(NOTE_TO_SELF)
            answered = recipient.keys().isdisjoint(("self", "releaseNotes", "distributionList"))
            files.append(file)
            for item in items:
                time = moment(item.time)
                file.add(time)
                if answered and (item.media or item.text.strip()):
                    name, content = self._name(item.author), item.text if item.text.strip() else ""
                    number, quoted = f"{item.time} {name}", self._quoted(item.reply_to)
                    yield Message(time, name, content, file.chat, number, quoted, item.version, item.media)

    def items(self) -> Iterator[Sent]:
        """The items of all chats; everything else is kept."""
        broken = False
        for number, line in enumerate(decoded_lines(self._path), 1):
            self._line = number
            if broken:
                raise self._error("no valid JSON", self._line - 1)
            if not line or line.isspace():
                continue
            try:
                frame = json.loads(line)
            except (ValueError, RecursionError):
                broken = True  # the last line of an export that was killed
                continue
            if not isinstance(frame, dict):
                raise self._error("no JSON object")
            if isinstance(item := frame.get("chatItem"), dict):
                yield self._item(item)
            else:
                self._keep(frame)
        if broken:
            self._notes.append("the export is cut short: export it again for the rest")

    def _keep(self, frame: dict[str, Any]) -> None:
        for kind, one in frame.items():
            if not isinstance(one, dict):
                continue
            if kind == "account":
                self._account = one
            elif kind == "recipient":
                self._recipients[str(one.get("id"))] = one
                if isinstance(contact := one.get("contact"), dict) and contact.get("aci"):
                    self._by_aci[str(contact["aci"])] = str(one.get("id"))
            elif kind == "chat":
                self._chats[str(one.get("id"))] = str(one.get("recipientId"))

    def _item(self, item: dict[str, Any]) -> Sent:
        sent = self._time(item)
        message = item.get("standardMessage")
        quote = message.get("quote") if isinstance(message, dict) else None
        if message is None and isinstance(story := item.get("directStoryReplyMessage"), dict):
            message = story.get("textReply")
        text = message.get("text") if isinstance(message, dict) else None
        typed = self._typed(text) if isinstance(text, dict) else ""
        quoted = None
        if isinstance(quote, dict) and quote.get("targetSentTimestamp"):
            quoted = f"{quote['targetSentTimestamp']} {quote.get('authorId')}"
        chat, author, edited = str(item.get("chatId")), str(item.get("authorId")), 0
        if isinstance(revisions := item.get("revisions"), list) and revisions:
            versions = [self._time(one) for one in revisions if isinstance(one, dict)]
            first = min([sent, *versions])
            self._first_sent |= {f"{version} {author}": first for version in (sent, *versions)}
            sent, edited = first, sent // 1000
        return Sent(chat, sent, author, typed, None, quoted, 0, edited, _besides_text(item))

    def _time(self, item: dict[str, Any]) -> int:
        sent = item.get("dateSent")
        digits = str(sent) if isinstance(sent, str | int) else ""
        if not digits.isdecimal() or len(digits) > 20 or int(digits) > LAST:
            raise self._error('a "chatItem" whose "dateSent" is no time in milliseconds')
        return int(digits)

    def _typed(self, text: dict[str, Any]) -> str:
        """The text of a message, with the names of those whom it mentions."""
        body = text.get("body", "")
        if not isinstance(body, str):
            raise self._error('a "text" whose "body" is no text')
        ranges = text.get("bodyRanges")
        if MENTION in body and isinstance(ranges, list):
            mentions = [one for one in ranges if isinstance(one, dict) and "mentionAci" in one]
            for mention in sorted(mentions, key=lambda one: one["start"] if isinstance(one.get("start"), int) else 0):
                body = body.replace(MENTION, f"@{self._name(self._by_aci.get(str(mention['mentionAci']), ''))}", 1)
        return body

    def _quoted(self, quoted: str | None) -> str | None:
        """The id of the message that one answers, from its time and author."""
        if quoted is None:
            return None
        time, _, author = quoted.partition(" ")
        return f"{self._first_sent.get(quoted, time)} {self._name(author)}"

    def _name(self, recipient: str) -> str:
        """Somebody's name, or a group's, as Signal shows it: given by me, of the address book, of the profile."""
        one = self._recipients.get(recipient, {})
        contact = one.get("contact")
        group = one.get("group")
        found = ""
        if "self" in one:
            found = _joined(self._account, "givenName", "familyName") or str(self._account.get("username") or "Me")
        elif isinstance(contact, dict):
            nickname = contact.get("nickname")
            found = (
                (_joined(nickname, "given", "family") if isinstance(nickname, dict) else "")
                or _joined(contact, "systemGivenName", "systemFamilyName")
                or _joined(contact, "profileGivenName", "profileFamilyName")
                or next((str(contact[key]) for key in ("username", "e164") if contact.get(key)), "")
            )
        elif isinstance(group, dict):
            found = _title(group)
        return self._names.of(recipient, found or f"unknown {recipient}".strip())

    def _error(self, found: str, line: int | None = None) -> ExportError:
        return ExportError(f"{self._path}, line {line or self._line:,}: {found}: export it again")


def _besides_text(item: dict[str, Any]) -> str:
    """The kind, as in `preprocessors.media`; of several attachments that of the first."""
    match item:
        case {"standardMessage": {"attachments": [{"flag": "VOICE_MESSAGE"}, *_]}}:
            return VOICE
        case {"standardMessage": {"attachments": [{"pointer": {"contentType": str(kind)}}, *_]}}:
            return by_content_type(kind)
        case {"stickerMessage": {"sticker": {"emoji": emoji}}}:
            return sticker(emoji)
        case {"stickerMessage": _}:
            return STICKER
        case {"contactMessage": _}:
            return CONTACT
    return ""


def _joined(values: dict[str, Any], *keys: str) -> str:
    return " ".join(value for key in keys if isinstance(value := values.get(key), str) and value)


def _title(group: dict[str, Any]) -> str:
    """The title of a group, which stands in an object of its own."""
    snapshot = group.get("snapshot")
    title = snapshot.get("title") if isinstance(snapshot, dict) else None
    title = title.get("title") if isinstance(title, dict) else title
    return title if isinstance(title, str) else ""
