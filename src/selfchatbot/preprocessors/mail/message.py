"""One email: who wrote it to whom, when, and what. Grammar: RFC 5322 and MIME, read by Python's email package."""

import re
from collections.abc import Iterator
from datetime import UTC
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Parsed
from email.utils import getaddresses, parsedate_to_datetime
from typing import NamedTuple

from selfchatbot.preprocessors.mail.text import unwrapped, written
from selfchatbot.preprocessors.media import by_content_type
from selfchatbot.preprocessors.reading.utc import EPOCH, MILLISECOND

ID = re.compile(r"<[^<>\s]{1,300}>")
BY_PROGRAMS = re.compile(r"bulk|junk|list|auto", re.IGNORECASE)
UNREADABLE = (MessageError, ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError)
"""What the email package raises for headers that break the rules."""


class Mail(NamedTuple):
    """An email."""

    time: int
    """Milliseconds since 1970, UTC."""
    sender: tuple[str, str]
    """Address and name."""
    recipients: list[tuple[str, str]]
    text: str
    """What was written; empty where there is none, or a program wrote it."""
    id: str | None
    reply_to: str | None
    delivered_to: list[str]
    """Addresses of the owner of the mailbox, in mail that came there."""
    is_sent: bool
    """Whether Gmail says that it was sent."""
    media: str
    """The kind of the first attachment, see `preprocessors.media`."""


def parsed(raw: bytes) -> Mail | None:
    """A message as the mailbox has it; None if it can't be read."""
    try:
        message = message_from_bytes(raw)
        (sender, *_) = _people(message, "From")
        sent = parsedate_to_datetime(str(message["Date"]))
        sent = sent.astimezone(UTC).replace(tzinfo=None) if sent.tzinfo else sent
        answered = ID.findall(f"{message['References'] or ''} {message['In-Reply-To'] or ''}")
        number = ID.search(str(message["Message-ID"] or ""))
        return Mail(
            (sent - EPOCH) // MILLISECOND,
            sender,
            [*_people(message, "To"), *_people(message, "Cc")],
            _text(message),
            number[0] if number else None,
            answered[-1] if answered else None,
            [address for address, _ in (*_people(message, "Delivered-To"), *_people(message, "X-Original-To"))],
            "Sent" in _decoded(message["X-Gmail-Labels"]).split(","),
            _attached(message),
        )
    except (*UNREADABLE, OverflowError):
        return None


def _text(message: Parsed) -> str:
    parts = [part for part in message.walk() if not part.is_multipart()]
    by_program = BY_PROGRAMS.search(str(message["Precedence"] or "")) or any(
        str(message[name] or "no").casefold() != "no" for name in ("Auto-Submitted", "X-Autoreply", "List-Unsubscribe")
    )
    if by_program or any(part.get_content_type() == "text/calendar" for part in parts):
        return ""
    for part in parts:
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment":
            payload = part.get_payload(decode=True)
            text = _in_charset(payload if isinstance(payload, bytes) else b"", part.get_content_charset("utf-8"))
            if str(part.get_param("format", "")).casefold() == "flowed":
                text = unwrapped(text, str(part.get_param("delsp", "")).casefold() == "yes")
            return written(text, _decoded(message["Subject"]))
    return ""


def _attached(message: Parsed) -> str:
    kinds = (part.get_content_type() for part in message.walk() if part.get_content_disposition() == "attachment")
    return next(map(by_content_type, kinds), "")


def _people(message: Parsed, header: str) -> Iterator[tuple[str, str]]:
    """Address, in lower case, and name of each person in a header."""
    # A decoded name may hold a comma.
    for name, address in getaddresses([str(value) for value in message.get_all(header, [])]):
        if "@" in address:
            yield address.casefold(), " ".join(_decoded(name).split()).strip("'\"")


def _decoded(value: object) -> str:
    """The text of a header."""
    text = "" if value is None else str(value)
    try:
        return str(make_header(decode_header(text))) if "=?" in text else text
    except UNREADABLE:
        return text


def _in_charset(text: bytes, charset: str) -> str:
    try:
        return text.decode(charset)
    except (LookupError, ValueError):
        return text.decode("utf-8", "replace")
