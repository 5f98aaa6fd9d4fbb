"""The body of one message: what its author typed, without what the exporter writes below it."""

import re

from selfchatbot.preprocessors.discordchatexporter.layout import EXPORTED, RULES

LOCATION = re.compile(r"\S+://\S+|.*[\\/].*|.*\.\w{1,8}")
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


def typed(body: list[str], bare_attachments: bool = False) -> str:
    """What the author typed: ``body`` (its lines) without sections, frames and trailing blank lines.

    The sections stand in a fixed order at the end: forwarded message, attachments, embeds, stickers, reactions. They
    are taken off from the end backwards, and only in their shape, so that the same words inside the text survive.
    """
    lines = _without_frame(body)
    _strip_blank(lines)
    if len(lines) > 1 and _is_tag(lines, len(lines) - 2, "{Reactions}"):
        del lines[-2:]
        _strip_blank(lines)
    if (forwarded := _forwarded(lines)) is not None:
        del lines[forwarded:]
        _strip_blank(lines)
    _strip_locations(lines, "{Stickers}")
    while (embed := _last_tag(lines, "{Embed}")) is not None and embed < len(lines) - 1:
        del lines[embed:]
        _strip_blank(lines)
    _strip_locations(lines, "{Attachments}")
    if bare_attachments:
        while lines and BARE_ATTACHMENT.fullmatch(lines[-1]):
            lines.pop()
        _strip_blank(lines)
    return "\n".join(lines)


def is_system(content: str) -> bool:
    """Whether the whole content is one of the exporter's sentences about calls, pins, names and members."""
    return SYSTEM.fullmatch(content) is not None


def _strip_blank(lines: list[str]) -> None:
    while lines and not lines[-1].strip():
        lines.pop()


def _is_tag(lines: list[str], index: int, tag: str) -> bool:
    return lines[index] == tag and (index == 0 or not lines[index - 1])


def _last_tag(lines: list[str], tag: str) -> int | None:
    return next((index for index in reversed(range(len(lines))) if _is_tag(lines, index, tag)), None)


def _strip_locations(lines: list[str], tag: str) -> None:
    """Take off a section of URLs (or of paths, when the assets were downloaded)."""
    index = _last_tag(lines, tag)
    if index is not None and index < len(lines) - 1 and all(map(LOCATION.fullmatch, lines[index + 1 :])):
        del lines[index:]
        _strip_blank(lines)


def _forwarded(lines: list[str]) -> int | None:
    """Where a forwarded message begins: its tag and, further down, the time it was sent first."""
    for index in range(len(lines)):
        if _is_tag(lines, index, "{Forwarded Message}"):
            if any(line.startswith("Originally sent: ") for line in lines[index:]):
                return index
            return None
    return None


def _without_frame(body: list[str]) -> list[str]:
    """Cut off the end of the export, and the head of another one that was put behind it in the same file."""
    for index, line in enumerate(body):
        if line not in RULES or index + 1 == len(body) or (index and body[index - 1]):
            continue
        following = body[index + 1]
        closed = index + 2 < len(body) and body[index + 2] in RULES
        rest = [rest for rest in body[index + 3 :] if rest.strip()]
        if EXPORTED.fullmatch(following) and closed and (not rest or rest[0] in RULES):
            return body[:index]
        if following.startswith("Guild:"):
            return body[:index]
    return list(body)
