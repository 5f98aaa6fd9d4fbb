"""The text of one message: what its author typed, without what the app writes around it or in its place."""

import re

from selfchatbot.preprocessors.whatsapp.locales import ATTACHED, LONGEST, NOTICES, OMITTED, WHOLE, is_edited, plain

# "<This message was edited>", "<attached: 00000012-PHOTO-2020-01-15.jpg>" at the end of the text, iOS with a mark.
_TAG = re.compile(r"[ \n]?[\u200e\u200f]?<([^<>\n]{2,200})>$")
_IOS_FILE = re.compile(r"[^<>:\n]{1,40}: \d{5,}-[^<>\n]+")
_ANDROID_FILE = re.compile(r"(?:(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d{3,}\.\w{2,5}|[^\n]+\.vcf) \([^()\n]+\)")
_FILE_NAME = re.compile(r"[^\n]{1,250}\.\w{2,5}(?: •[^\n]*)?")
# Options and votes: "OPTION: yes (2 votes)".
_POLL = re.compile(r"\S{2,20}[ \u00a0]?:\n.+?(?:\n\S{2,20}[ \u00a0]?: [^\n]* \(\D?\d+ [^\d\n]+\)){2,}\n*", re.DOTALL)
_PLACE = re.compile(
    r"(?:[^\s:]+ ){0,3}[^\s:]+ ?: https://maps\.google\.com/\?q=-?[\d.]+,-?[\d.]+|.+: https://foursquare\.com/v/\S+",
    re.DOTALL,
)
_BY_ADMIN = "this message was deleted by admin "
_MENTION = re.compile(r"@\u2068(?:~[\u202f\u00a0 ]?)?([^\u2068\u2069\n]*)\u2069")


def typed(content: str, mark: str | None, leading: bool, tags: frozenset[str]) -> str:
    """What the author typed of ``content``, empty where that is nothing.

    ``mark`` is the invisible mark that iOS puts before all that the app writes, None in files without; ``leading`` says
    whether it stands before the date as well, which means that there was an attachment. ``tags`` are words in angle
    brackets, as `plain` gives them, that this file's app puts after messages or in their place.
    """
    if mark is not None and mark in content:
        if content.startswith(mark):
            return ""
        content = _without_marked(content, mark, leading)
    if content.endswith((">", ")")) or "\n" in content:
        content = _without_media(content)
    while content.endswith(">") and (match := _TAG.search(content)):
        word = plain(match[1])
        if not is_edited(word) and word not in tags and not _IOS_FILE.fullmatch(match[1]):
            break
        content = content[: match.start()]
    if not content or content.isspace():
        return ""
    # In a file with marks, the app's own words would have had one.
    if mark is None and len(content) < LONGEST and plain(content) in WHOLE:
        return ""
    if mark is None and (content == "null" or plain(content[:200]).startswith((_BY_ADMIN, *NOTICES))):
        return ""
    if ("https://" in content and _PLACE.fullmatch(content)) or (":\n" in content and _POLL.fullmatch(content)):
        return ""
    return _MENTION.sub(r"@\1", content) if "\u2068" in content else content


def _without_marked(content: str, mark: str, leading: bool) -> str:
    """``content`` without what follows a mark at its end: the place of an attachment, or that it was edited."""
    attachment = False
    while mark in content:
        before, _, after = content.rpartition(mark)
        ours = (after.startswith("<") and after.endswith(">")) or plain(after) in OMITTED
        # Whatever the language: a line with an attachment ends in one such phrase, for a document after its pages.
        if not ours and not (leading and "\n" not in after and (not attachment or before.endswith("• "))):
            break
        content, attachment = before.rstrip(" \n"), attachment or leading
    return "" if attachment and _FILE_NAME.fullmatch(content) else content


def _without_media(content: str) -> str:
    """``content`` without the line that stands for an attachment (Android): what remains is its caption."""
    first, _, caption = content.partition("\n")
    first = first.lstrip("\u200e\u200f")
    if first.startswith("<") and plain(first) in OMITTED:
        # A document's name follows on a line of its own.
        return "" if _FILE_NAME.fullmatch(caption) else caption
    return caption if ATTACHED.fullmatch(first) or _ANDROID_FILE.fullmatch(first) else content
