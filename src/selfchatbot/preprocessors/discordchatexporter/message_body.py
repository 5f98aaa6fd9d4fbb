"""The body of one message: what its author typed, and apart from it what the exporter writes below it."""

import re

from selfchatbot.preprocessors.discordchatexporter.layout import TAGS
from selfchatbot.preprocessors.media import CALL, STICKER, by_url
from selfchatbot.preprocessors.reading.dates import shape

FILE_NAME = re.compile(r"[^\\/]+(?:\.\w{1,20}|-[0-9A-F]{5})")
"""Of downloaded assets: with an ending, or with the hash that was added since 2.24."""
REACTION = re.compile(r"\w+|\(\d+\)")
FORWARDED = "Originally sent: "
BARE_ATTACHMENT = re.compile(r"https://(?:cdn|media)\.discordapp\.(?:com|net)/attachments/\S+")
SYSTEM = re.compile(
    r"Added (?:a recipient|.+ to the group)\."
    r"|Removed (?:a recipient|.+ from the group)\."
    r"|Left the group\."
    r"|Started a call(?: that lasted [\d.,\s\u00a0\u202f]+ minutes)?\."
    r"|Changed the channel (?:name(?:\.|: .*)|icon\.)"
    r"|Pinned a message\."
    r"|Started a thread\."
    r"|Joined the server\."
)


CALL_NOTICE = "Started a call"


def parts(body: list[str], gap: int = 2, bare_attachments: bool = False, grouped: bool = False) -> tuple[str, str]:
    """What the author typed: ``body`` (its lines, up to the next header) without sections and trailing blank lines.

    And what was sent besides text, see `preprocessors.media`: the first attachment, or the sticker.

    The sections stand in a fixed order at the end: forwarded message, attachments, embeds, stickers, reactions. They
    are taken off from the end backwards, and only in their shape, so that the same words inside the text survive. An
    embed has no shape but its tag: it is its URL, title, text and fields, one below the other.
    """
    if len(body) == 3 and body[0] not in TAGS and not (body[1] or body[2] or bare_attachments):
        return (body[0] if body[0].strip() else ""), ""  # the usual message: one line
    end = len(body)
    while end and not body[end - 1].strip():
        end -= 1
    lines = body[:end]
    media = ""
    if not TAGS.isdisjoint(lines):
        media = _strip_sections(lines, reactions_fit=gap < 2 or len(body) - len(lines) < 2)
    if bare_attachments and grouped:
        media = next((by_url(line) for line in lines if BARE_ATTACHMENT.fullmatch(line)), "")
        lines = [line for line in lines if not BARE_ATTACHMENT.fullmatch(line)]
        _strip_blank(lines)
    elif bare_attachments:
        while lines and BARE_ATTACHMENT.fullmatch(lines[-1]):
            media = by_url(lines.pop())
        _strip_blank(lines)
    return "\n".join(lines), media


def without_notice(content: str, media: str) -> tuple[str, str]:
    """Content and media without the exporter's sentences about calls, pins, names and members."""
    if SYSTEM.fullmatch(content) is None:
        return ("" if content.isspace() else content), media
    return "", CALL if content.startswith(CALL_NOTICE) else ""


def _strip_sections(lines: list[str], reactions_fit: bool) -> str:
    """Take off all sections; what was sent besides text."""
    # Where two blank lines stand between messages, only one stands behind reactions.
    if reactions_fit and len(lines) > 1 and _is_tag(lines, len(lines) - 2, "{Reactions}") and _are_reactions(lines[-1]):
        del lines[-2:]
        _strip_blank(lines)
    if (forwarded := _forwarded(lines)) is not None:
        del lines[forwarded:]
        _strip_blank(lines)
        return ""
    media = STICKER if _strip_locations(lines, "{Stickers}") else ""
    while not (attachment := _strip_locations(lines, "{Attachments}")):
        embed = _last_tag(lines, "{Embed}")
        if embed is None or not any(lines[embed + 1 : embed + 2]):
            return media
        del lines[embed:]
        _strip_blank(lines)
    return by_url(attachment)


def _strip_blank(lines: list[str]) -> None:
    while lines and not lines[-1].strip():
        lines.pop()


def _is_tag(lines: list[str], index: int, tag: str) -> bool:
    return lines[index] == tag and (index == 0 or not lines[index - 1])


def _last_tag(lines: list[str], tag: str) -> int | None:
    return next((index for index in reversed(range(len(lines))) if _is_tag(lines, index, tag)), None)


def _strip_locations(lines: list[str], tag: str) -> str:
    """Take off a section of URLs (or of paths, when the assets were downloaded); the first one, empty for none."""
    index = _last_tag(lines, tag)
    if index is None or index == len(lines) - 1 or not all(map(_is_location, lines[index + 1 :])):
        return ""
    first = lines[index + 1]
    del lines[index:]
    _strip_blank(lines)
    return first


def _is_location(line: str) -> bool:
    if "://" in line:
        return len(line.split()) == 1
    name = re.split(r"[\\/]", line)[-1]
    return len(name) < len(line) and FILE_NAME.fullmatch(name) is not None


def _are_reactions(line: str) -> bool:
    """Emoji, or the names of a server's own, each with its count in brackets when that is more than one."""
    return all(not token.isascii() or REACTION.fullmatch(token) for token in line.split())


def _forwarded(lines: list[str]) -> int | None:
    """Where a forwarded message begins: its tag and, further down, the time it was sent first."""
    for index in range(len(lines)):
        if _is_tag(lines, index, "{Forwarded Message}"):
            for number, line in enumerate(lines[index + 1 :], index + 1):
                following = lines[number + 1] if number + 1 < len(lines) else ""
                if line.startswith(FORWARDED) and shape(line.removeprefix(FORWARDED)) and following in ("", *TAGS):
                    return index
    return None
