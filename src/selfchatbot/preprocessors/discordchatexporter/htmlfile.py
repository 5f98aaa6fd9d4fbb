"""DiscordChatExporter HTML (``-f HtmlDark``, ``HtmlLight``, .html), the exporter's default, since 2.25.

Grammar: ``MessageGroupTemplate.cshtml``, ``PreambleTemplate.cshtml`` and ``PostambleTemplate.cshtml``. Messages of one
author within minutes are a group, the first of which has the author; a reply begins a group. Since 2022 the page is
minified: attributes have no quotes. Dates are written as in the exporter's country, but the id of a message holds its
time to the millisecond (Discord's "snowflakes"), which is UTC. `markdown` gives what was typed. Attachments
and stickers stand behind it; a message that forwards another one has only those of the other one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.discordchatexporter.jsonfile import CUT_SHORT
from selfchatbot.preprocessors.discordchatexporter.markdown import Markdown
from selfchatbot.preprocessors.discordchatexporter.message_body import without_notice
from selfchatbot.preprocessors.media import CALL, STICKER, by_url
from selfchatbot.preprocessors.reading.html_stream import Tag, tags, unescaped
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import LAST, moment

DISCORD_EPOCH = 1_420_070_400_000
"""Milliseconds since 1970; the first bits of an id count from here."""
PRIVATE = "Direct Messages"
"""The "server" of direct messages."""
CONTENT = frozenset(("chatlog__markdown-preserve", "preserve-whitespace"))
REPLY_LINKS = frozenset(("chatlog__reply-link", "chatlog__reference-link"))
LOOKED_AT = re.compile(
    r"data-(?:message|user)-id|chatlog__(?:message-group|author-tag|bot-tag|reply|reference|content|markdown-preserve)"
    r"|chatlog__(?:attachment|sticker|forwarded)|call-icon|preserve-whitespace|amble__entry"
)
"""What is in the attributes of the elements that say something; taking all apart would be slow."""
BOT_TAGS = frozenset(("chatlog__author-tag", "chatlog__bot-tag"))
ANSWERED = re.compile(r"scrollToMessage\(event, *['\"]?(\d{1,20})")
EXPORTED = re.compile(r"Exported (\d[^A-Za-z]*)message\(s\)")


@dataclass(slots=True)
class HtmlExport:
    """What the beginning of a page shows."""

    path: ExportPath
    group: bool | None = None
    opening: datetime = datetime.max
    """When the first messages in the file were sent."""


@dataclass(slots=True)
class _Sent:
    """One message of a page."""

    id: int
    user: str
    author: str
    bot: bool
    text: str = ""
    answered: str | None = None
    command: bool = False
    """Whether an app answers a command."""
    media: str = ""
    """See `preprocessors.media`."""

    @property
    def time(self) -> int:
        return (self.id >> 22) + DISCORD_EPOCH


def look_html(path: ExportPath) -> HtmlExport:
    """Read the beginning of a page. Raises ExportError for what is no such export."""
    page = _Page(path)
    first = [moment(sent.time) for sent in islice(page.messages(), 2)]
    if not page.entries:
        raise ExportError(
            f"{path}: no HTML of DiscordChatExporter 2.25 or later: export the channel again, or remove the file"
        )
    return HtmlExport(path, page.group, min(first, default=datetime.max))


def read_html(export: HtmlExport, chat: str, names: Names, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, oldest first."""
    file = ExportFile(export.path, chat, group=export.group)
    files.append(file)
    page = _Page(export.path)
    for time, author, text, number, answered, media in oldest_to_newest(_rows(page, file, names)):
        yield Message(moment(time), author, text, chat, number, answered, media=media)
    file.declared = page.declared
    if not page.ended:
        file.notes.append(CUT_SHORT)
    elif file.declared is not None and file.declared != file.messages:
        file.notes.append(f"the export states {file.declared:,} messages, {file.messages:,} were found")


def _rows(page: "_Page", file: ExportFile, names: Names) -> Iterator[Row]:
    for sent in page.messages():
        file.add(moment(sent.time))
        text, media = without_notice(sent.text, sent.media)
        if (text or media) and not sent.command:
            key = f"{sent.user} {sent.author}" if sent.bot else sent.user
            yield sent.time, names.of(key, sent.author), text, str(sent.id), sent.answered, media


class _Page:
    """One page, read once."""

    def __init__(self, path: ExportPath) -> None:
        self._path = path
        self.entries: list[str] = []
        """The names of the server and of the channel."""
        self.declared: int | None = None
        self.ended = False
        self._sent: _Sent | None = None
        self._user, self._author, self._bot = "", "", False
        """Who wrote the messages of the group."""
        self._answered: str | None = None
        self._command = False
        """Whether an app answers a command."""
        self._in_content = False
        self._in_attachment = self._forwards = False

    @property
    def group(self) -> bool | None:
        """Direct messages may be those of a group."""
        return True if self.entries and self.entries[0] != PRIVATE else None

    def messages(self) -> Iterator[_Sent]:
        """All messages in the order of the file, with those that nobody typed."""
        content: Markdown | None = None
        for tag in tags(self._path):
            if content is not None:
                if (text := content.take(tag)) is not None and self._sent is not None:
                    self._sent.text, content, self._in_content = text, None, False
            elif tag.name.startswith("/"):
                self._in_content = self._in_content and tag.name != "/div"
                self.ended = self.ended or tag.name == "/html"
            elif self._in_attachment or LOOKED_AT.search(tag.raw):
                attributes = tag.attributes()
                classes = attributes.get("class", "").split()
                if "data-message-id" in attributes or "chatlog__message-group" in classes:
                    if self._sent is not None:
                        yield self._sent
                    self._begin(attributes.get("data-message-id"))
                elif self._in_content and not CONTENT.isdisjoint(classes):
                    content = Markdown(tag)
                else:
                    self._element(tag, attributes, classes)
        if self._sent is not None and content is None:
            yield self._sent

    def _begin(self, number: str | None) -> None:
        """A message begins, or without a ``number`` a group."""
        if number is None:
            self._sent = None
            self._user, self._author, self._bot = "", "", False
            return
        if not (number.isdecimal() and len(number) <= 20 and (int(number) >> 22) + DISCORD_EPOCH <= LAST):
            raise ExportError(f"{self._path}: a message whose id is no number: export it again")
        self._command = self._in_attachment = self._forwards = False
        self._sent = _Sent(int(number), self._user, self._author, self._bot)
        self._settle_answer()

    def _element(self, tag: Tag, attributes: dict[str, str], classes: list[str]) -> None:
        """An element around the content of a message, or above or below all messages."""
        if "data-user-id" in attributes:
            self._user = attributes["data-user-id"]
            self._author = attributes.get("title") or unescaped(tag.text.strip())
        elif not BOT_TAGS.isdisjoint(classes):
            self._bot = True
        elif "chatlog__reply-content" in classes:
            self._command = True
        elif not REPLY_LINKS.isdisjoint(classes):
            match = ANSWERED.search(attributes.get("onclick", ""))
            self._answered = match[1] if match else None
            self._command = False
        elif "chatlog__content" in classes:
            self._in_content = self._sent is not None
        elif self._sent is not None and not self._sent.media and not self._forwards:
            self._sent.media = self._besides_text(tag, attributes, classes)
        if "preamble__entry" in classes:
            self.entries.append(unescaped(tag.text.strip()))
        elif "postamble__entry" in classes and (match := EXPORTED.search(unescaped(tag.text))):
            # More digits than any export has are damage, and int() refuses 4,300 of them.
            self.declared = int("".join(filter(str.isdecimal, match[1]))[:18] or 0)
        if self._sent is not None:
            self._sent.user, self._sent.author, self._sent.bot = self._user, self._author, self._bot
            self._settle_answer()

    def _besides_text(self, tag: Tag, attributes: dict[str, str], classes: list[str]) -> str:
        """The kind of an attachment, which has a link, or of a sticker or call; empty for anything else."""
        if self._in_attachment and (link := attributes.get("href") or attributes.get("src")):
            self._in_attachment = False
            return by_url(link)
        self._in_attachment = self._in_attachment or "chatlog__attachment" in classes
        self._forwards = "chatlog__forwarded" in classes
        if "chatlog__sticker" in classes:
            return STICKER
        return CALL if tag.name == "use" and attributes.get("href") == "#call-icon" else ""

    def _settle_answer(self) -> None:
        """The answered message stands in front of the answer, since 2.35 within it."""
        if self._sent is not None:
            self._sent.answered = self._answered or self._sent.answered
            self._sent.command = self._command
            self._answered = None
