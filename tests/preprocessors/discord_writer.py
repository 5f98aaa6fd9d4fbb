"""Writes DiscordChatExporter plain text as the program itself does: for tests, and without a line of the parser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

RULE = "=" * 62


@dataclass
class Sent:
    """A message as Discord has it."""

    time: datetime
    author: str
    content: str = ""
    pinned: bool = False
    forwarded: str | None = None
    attachments: list[str] = field(default_factory=list)
    embeds: list[list[str]] = field(default_factory=list)
    stickers: list[str] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)


def en_us(time: datetime) -> str:
    return f"{time.month}/{time.day}/{time.year} {time.hour % 12 or 12}:{time.minute:02} {'AP'[time.hour > 11]}M"


def en_gb(time: datetime) -> str:
    return f"{time.day:02}/{time.month:02}/{time.year} {time.hour:02}:{time.minute:02}"


def sv_se(time: datetime) -> str:
    return f"{time.year}-{time.month:02}-{time.day:02} {time.hour:02}:{time.minute:02}"


def invariant(time: datetime) -> str:
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * time.month - 3 : 3 * time.month]
    half = "AP"[time.hour > 11]
    return f"{time.day:02}-{month}-{time.year % 100:02} {time.hour % 12 or 12:02}:{time.minute:02} {half}M"


def unix(time: datetime) -> str:
    return str(int(time.replace(tzinfo=UTC).timestamp()))


def export(
    messages: Sequence[Sent],
    version: str = "2.47",
    date: Callable[[datetime], str] = sv_se,
    *,
    newline: str = "\n",
    topic: str = "",
    count: str | None = None,
    end: bool = True,
    bom: bool = False,
) -> bytes:
    """A file of one of the layouts 2.47, 2.40, 2.36, 2.19, 2.15 and 2.13; ``count`` replaces the number at the end."""
    number = f"{len(messages):,}" if count is None else count
    head = [RULE, "Guild: The Club", "Channel: Outdoor / trips"]
    if version in ("2.15", "2.13"):
        head += [f"Topic: {topic}", f"Messages: {number}", "Range: "]
    elif topic:
        head.append(f"Topic: {topic}")
    lines = [*head, RULE, ""]
    for message in messages:
        lines += _message(message, version, date)
    if version not in ("2.15", "2.13") and end:
        lines += [RULE, f"Exported {number} message(s)", RULE]
        if version == "2.19":
            lines += ["", ""]
    return (b"\xef\xbb\xbf" if bom else b"") + "".join(line + newline for line in lines).encode()


def _message(message: Sent, version: str, date: Callable[[datetime], str]) -> list[str]:
    pinned = " (pinned)" if message.pinned and version != "2.13" else ""
    lines = [f"[{date(message.time)}] {message.author}{pinned}"]
    if message.content or version not in ("2.36", "2.19"):
        lines.append(message.content)
    if version == "2.13":
        return [*lines, *message.attachments, ""]
    lines.append("")
    if message.forwarded is not None and version == "2.47":
        lines += ["{Forwarded Message}", message.forwarded, f"Originally sent: {date(message.time)}", ""]
    if message.attachments:
        lines += ["{Attachments}", *message.attachments, ""]
    for embed in message.embeds:
        lines += ["{Embed}", *embed, ""]
    if message.stickers and version in ("2.47", "2.40", "2.36"):
        lines += ["{Stickers}", *message.stickers, ""]
    if message.reactions:
        lines += ["{Reactions}", " ".join(message.reactions) + ("" if version == "2.47" else " ")]
    if version == "2.19":
        return ["\n".join(lines).rstrip(), ""]
    # Up to 2.16 a blank line ends the text and each section, and nothing the message.
    return [*lines, ""] if version != "2.15" or message.reactions else lines
