"""What a message's author typed, apart from the other parts that imessage-exporter writes as lines of their own.

Grammar: ``exporters/txt.rs`` of the exporter. Nothing marks where one part ends and the next begins: what has the exact
form of an attachment, sticker, tapback, app bubble or link preview is taken for it, all else was typed.
"""

import re
from itertools import pairwise, takewhile

from selfchatbot.preprocessors import media

INDENT = "    "
DATE = r"[A-Z][a-z]{2} \d\d, \d{4} (?: \d|1[0-2]):\d\d:\d\d[ \u202f\u00a0][AP]M"
DURATION = r"\d+ \w+(?:, \d+ \w+)*"
DELETED = "This message was deleted from the conversation!"
TRANSLATED = "Translated from:"
FIRST_VERSION = re.compile(rf"{DATE} (.*)")
LATER_VERSION = re.compile(rf"Edited (?:{DURATION})? later: (.*)")
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
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
# Such names are made by cameras and phones: with a number, or one of the few that they give without.
_MADE_NAME = (
    rf"(?:[\w.-]{{0,40}}{_UUID}[\w.() -]{{0,20}}|[\w-]{{0,8}}\d{{6,30}}[\w-]{{0,40}}|[0-9a-f]{{16,64}}"
    r"|(?i:IMG|DSC[NF]?|PXL|VID|MVI|MOV|FB_IMG|received|RPReplay|Screen ?Recording|Screen ?shot|camphoto|cinemagraph"
    r"|photo|image|video|audio|AUD|recording|lp_image|mms|attachment|tmp|trim|memoji|sticker|messages image)"
    r"[-_.( ]{0,2}[\w.() -]{0,40}\d[\w.() -]{0,40})\.\w{2,5}"
    r"|(?:RenderedImage|FullSizeRender|[Ii]mage|IMG|[Vv]ideo|Attachment)\.(?i:jpe?g|png|hei[cf]|gif|webp|mov|mp4)"
    r"|RPReplay_\w+\.\w{2,4}|[^/\\]{1,80}\.(?i:vcf|hei[cf]|caf|amr)"
)
# Copied attachments stand in "attachments/", others in the folders of Messages or in a backup; of one that is gone only
# the name is left.
ATTACHMENT = re.compile(
    r"attachments[/\\][^/\\]+[/\\].+"
    r"|(?:~|/|[A-Za-z]:\\).*[/\\](?:[Aa]ttachments[/\\].+|StickerCache[/\\].+|[0-9a-f]{2}[/\\][0-9a-f]{40})"
    rf"|{_MADE_NAME}|Audio Message\b.*\.\w{{2,4}}|Screen ?[Ss]hot.*\.\w{{2,4}}"
    r"|[^\s/\\]+\.pluginPayloadAttachment|Attachment missing!|Unable to (?:format app message|locate attachment): .*"
)
TRANSCRIPTION = "Transcription: "
STICKER = re.compile(r"(?:\w+ )?Sticker from .+: .+[/\\.].+")
UNSENT = re.compile(rf".+ unsent this message part(?: (?:{DURATION})? after sending)?!")
BUBBLE = re.compile(
    # Generic apps and documents that are worked on together: the app's name or bundle, then what the app says.
    r"(?:[A-Z][\w.&'+-]*(?: [\w.&'+-]+){0,3}|[a-z]+(?:\.[\w-]+){2,}) message:(?:\n.*)?"
    r"|GamePigeon|com(?:\.[A-Za-z][\w-]*){2,}(?::\w+:[\w.-]+)?"
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


def typed(lines: list[str]) -> str:
    """What the author typed, in its last version; empty for what was deleted."""
    if not lines or lines[0] == DELETED:
        return ""
    if TRANSLATED in lines[1:]:
        lines = lines[lines.index(TRANSLATED, 1) + 1 :]
    lines = _without_parts(_last_version(lines))
    strip_blank(lines)
    if not lines or BUBBLE.fullmatch("\n".join(lines)):
        return ""
    # Title and summary of a page, or name and artist of a song, are not the words of who shared it.
    urls = list(takewhile(URL.fullmatch, lines))
    if urls and lines[len(urls) : len(urls) + 1] != [""]:
        lines = urls
    elif len(lines) > 1:
        lines = [line for line in lines if APPLE_URL.fullmatch(line)] or lines
    return "\n".join(lines)


def besides_text(lines: list[str]) -> str:
    """The kind of the first attachment or sticker, see `preprocessors.media`; what has a transcript is text."""
    for line, following in pairwise([*lines, ""]):
        if following.startswith(TRANSCRIPTION):
            continue
        if STICKER.fullmatch(line):
            return media.STICKER
        if _may_be_attachment(line) and ATTACHMENT.fullmatch(line) and not line.endswith(".pluginPayloadAttachment"):
            return media.by_name(line) if "." in line[-6:] else media.MEDIA
    return ""


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
        elif _may_be_attachment(line) and ATTACHMENT.fullmatch(line):
            if index < len(lines) and lines[index].startswith(TRANSCRIPTION):
                kept.append(lines[index].removeprefix(TRANSCRIPTION))
                index += 1
        elif not (STICKER.fullmatch(line) or UNSENT.fullmatch(line) or (index > 1 and line in EFFECTS)):
            # U+FFFC holds the place of an attachment in the text.
            kept.append(line.replace("\ufffc", ""))
    return kept


def _may_be_attachment(line: str) -> bool:
    """Tells most lines without the long pattern."""
    return (
        "." in line[-6:-2] or "/" in line or "\\" in line or line.endswith(("Attachment", "!")) or line[:6] == "Unable"
    )


def strip_blank(lines: list[str]) -> None:
    """Take empty lines off both ends."""
    while lines and not lines[-1].strip():
        lines.pop()
    start = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    del lines[:start]
