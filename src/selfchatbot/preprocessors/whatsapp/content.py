"""The text of one message: what its author typed, without what the app writes around it or in its place."""

import re

from selfchatbot.preprocessors.whatsapp.locales import (
    ATTACHED_ENDS,
    ATTACHED_FIRST,
    ATTACHED_STARTS,
    ATTACHMENT,
    EDITED_BARE,
    LIVE,
    LOCATION,
    LONGEST,
    OMITTED,
    OPTIONS,
    POLLS,
    attached_name,
    is_edited,
    is_omitted,
    is_written,
    plain,
)

MARKS = ("\u200e", "\u200f")
"""What iOS puts before the app's words, the second in languages that are written from right to left."""
# "<This message was edited>", "<attached: 00000012-PHOTO-2020-01-15.jpg>" at the end of the text, iOS with a mark.
_TAG = re.compile(r"[ \n]?[\u200e\u200f]?<([^<>\n]{2,200})>$")
_IOS_FILE = re.compile(r"[^<>:\n]{1,40}: \d{5,}-[^<>\n]+")
# A name that the app gave, or one that can be no word before a remark in brackets.
_NAMED_FILE = re.compile(
    r"[\u200e\u200f].*|(?:IMG|VID|AUD|PTT|PTV|STK|GIF|DOC)-\d{8}-WA\d{3,}\S*|[^\n]*\.\w{1,5}|(?=\S*[A-Z\d_])\S+"
)
_ANDROID_FILE = re.compile(r"(?:(?:IMG|VID|AUD|PTT|PTV|STK|GIF|DOC)-\d{8}-WA\d{3,}\.\w{0,5}|[^\n]+\.vcf) \([^()\n]+\)")
_MEDIA_FILE = re.compile(r".*\.(?:jpe?g|png|gif|webp|mp4|3gp|mov|opus|m4a|mp3|aac|amr|ogg|vcf)", re.IGNORECASE)
_FILE_NAME = re.compile(r"[^\n]{1,250}\.\w{2,5}(?: •[^\n]*)?")
_FILE_WITH_PAGES = re.compile(r"[^\n]{1,250}\.\w{2,5} • \d+ [^\W\d]+ (?P<omitted>[^\d\n]+)")
# Options and votes: "OPTION: yes (2 votes)".
_POLL = re.compile(r"\S{2,20}[ \u00a0]?:\n.+?(?:\n\S{2,20}[ \u00a0]?: [^\n]* \(\D?\d+ [^\d\n]+\)){2,}\n*", re.DOTALL)
# Its label and name, then when it begins, in milliseconds.
_EVENT = re.compile(r"[^\n:：]{1,40}[:：][^\n]*\n[^\n]{1,60}?[:：] ?\d{12,14}(?:\n.*)?", re.DOTALL)
_POINT = r"https://maps\.google\.com/\?q=-?[\d.]+,-?[\d.]+"
# Its name and address stand before a place, on lines of their own (Android) or on the same line (iOS).
_PLACE = re.compile(
    rf"(?:[^\n]{{1,250}}\n){{0,5}}[ \u200e\u200f]*{LOCATION}[ \u00a0]?[:：︰፦] ?{_POINT}"
    r"|(?:[^\n]{1,250}\n){1,5}https://foursquare\.com/v/[0-9a-f]{16,}|.+: https://foursquare\.com/v/\S+",
    re.DOTALL | re.IGNORECASE,
)
_LAST = (">", *ATTACHED_ENDS)
_MENTION = re.compile(r"@\u2068(?:~[\u202f\u00a0 ]?)?([^\u2068\u2069\n]*)\u2069")


def typed(content: str, marks: tuple[str, ...], leading: bool, tags: frozenset[str], author: str = "") -> str:
    """What ``author`` typed of ``content``, empty where that is nothing.

    ``marks`` are the invisible marks that iOS puts before all that the app writes, none in files without; ``leading``
    says whether one stands before the date as well, which means that there was an attachment. ``tags`` are words in
    angle brackets, as `plain` gives them, that this file's app puts after messages or in their place.
    """
    if marks and not content.isascii():
        if content.lstrip(" ").startswith(marks):
            return ""
        if any(mark in content for mark in marks):
            content = _without_marked(content, marks, leading)
    if content.endswith(_LAST) or "\n" in content or content[:1] in ATTACHED_FIRST:
        content = _without_media(content)
    while content.endswith(">") and (match := _TAG.search(content)):
        word = plain(match[1])
        attachment = ATTACHMENT.fullmatch(match[1].strip("\u200e\u200f")) or _IOS_FILE.fullmatch(match[1])
        if not (is_edited(word) or attachment or word in tags or (match.start() == 0 and is_omitted(word))):
            break
        content = content[: match.start()]
        if attachment and _FILE_NAME.fullmatch(content):
            return ""
    if not content or content.isspace():
        return ""
    if not marks:
        # In a file with marks, the app's own words would have had one.
        if not content.isascii():
            if content.endswith(EDITED_BARE):
                content = content[: content.rindex(" \u200f")]
            if (match := _FILE_WITH_PAGES.fullmatch(content)) and plain(match["omitted"]) in OMITTED:
                return ""
        if content == "null" or is_written(content, author):
            return ""
    if ("https://" in content and _PLACE.fullmatch(content)) or ("\n" in content and _is_card(content)):
        return ""
    return _MENTION.sub(r"@\1", content) if "\u2068" in content else content


def is_marked_edited(content: str) -> bool:
    """Whether the app says at the end of ``content`` that the message was edited."""
    if content.endswith(EDITED_BARE):
        return True
    return content.endswith(">") and (match := _TAG.search(content)) is not None and is_edited(plain(match[1]))


def _without_marked(content: str, marks: tuple[str, ...], leading: bool) -> str:
    """``content`` without what follows a mark at its end: the place of an attachment, or that it was edited."""
    attachment = False
    while (place := max(map(content.rfind, marks))) >= 0:
        before, after = content[:place], content[place + 1 :]
        tag = after.endswith(">") and (after.startswith("<") or before.endswith("<"))
        # Whatever the language: a line with an attachment ends in one such phrase, for a document after its pages.
        ends_attachment = "\n" not in after and (before.endswith("• ") if attachment else leading)
        if not (tag or plain(after) in OMITTED or ends_attachment):
            break
        attachment = attachment or leading or (tag and plain(after) in OMITTED)
        content = before.removesuffix("<").rstrip(" \n")
    return "" if attachment and _FILE_NAME.fullmatch(content) else content


def _without_media(content: str) -> str:
    """``content`` without the line that stands for an attachment (Android): what remains is its caption."""
    line, _, caption = content.partition("\n")
    first = line.lstrip("\u200e\u200f")
    if first.startswith("<") and plain(first) in OMITTED:
        # A document's name follows on a line of its own.
        return "" if _FILE_NAME.fullmatch(caption) else caption
    if line.endswith(ATTACHED_ENDS) or line.startswith(ATTACHED_STARTS):
        name = attached_name(line)
        if (name is not None and _NAMED_FILE.fullmatch(name)) or _ANDROID_FILE.fullmatch(first):
            is_media = _MEDIA_FILE.fullmatch(name or first.rpartition(" (")[0])
            return "" if (_FILE_NAME.fullmatch(caption) and not is_media) or caption == name else caption
    return caption if caption and len(first) <= LONGEST and plain(first) in LIVE else content


def _is_card(content: str) -> bool:
    """Whether ``content`` is a poll with its options, or an event."""
    first, _, rest = content.partition("\n")
    if first.endswith((":", "：", "፦")) and plain(first.rstrip(":：፦ \u00a0")) in POLLS:
        last = rest.rstrip("\n").rpartition("\n")[2]
        if plain(last).startswith(OPTIONS):
            return True
    return (":\n" in content and _POLL.fullmatch(content) is not None) or _EVENT.fullmatch(content) is not None
