"""What was typed or sent, from the ``content`` of a message of Skype or Teams.

Grammar: siwen-r/skype-export-parser (``SkypeParser.ts``) and suurjaak/Skyperious (``live.py``, ``skypedata.py``). Text
with tags: ``<ss type="hi">(wave)</ss>`` for emoticons, ``<a href="…">`` for links, ``<at id="…">`` for mentions,
``<b raw_pre="*" raw_post="*">`` for bold and other kinds of text with the signs that were typed, ``<quote …>``, in
Teams ``<blockquote …>``, around what somebody else had written, ``<e_m ts_ms="…">`` behind what was edited, with the
time of the first version. Teams also has paragraphs and line breaks of HTML, spaces that don't break, and images:
``<img itemtype="http://schema.skype.com/Emoji" alt="🙂">`` for an emoji, ``…/AMSImage`` for a picture.
"""

import html
import re

from selfchatbot.preprocessors.media import CALL, CONTACT, FILE, LOCATION, PHOTO, VIDEO, VOICE, by_name

TAG = re.compile(r"<(/?[A-Za-z_]\w*)((?:[\s/][^<>]*)?)>")
RAW = re.compile(r'\braw_(pre|post)="([^"]{0,9})"')
EDITED = re.compile(r'<e_m\b[^<>]*\bts_ms="(\d{1,15})"')
PREFIX = "Edited previous message: "
QUOTES = ("quote", "blockquote")
ENDS_OF_LINES = ("br", "/p", "/div", "/li")
SHARED = "<URIObject"
"""Begins what Skype writes about a picture or file."""
KINDS = {
    "RichText/UriObject": PHOTO,
    "RichText/Media_Video": VIDEO,
    "RichText/Media_AudioMsg": VOICE,
    "RichText/Media_GenericFile": FILE,
    "RichText/Location": LOCATION,
    "RichText/Contacts": CONTACT,
    "Event/Call": CALL,
}
"""What a kind of message was, which nobody typed."""
EMOJI = re.compile(r'\balt="([^"<>]{1,40})"')
EMOJI_IMAGE = 'itemtype="http://schema.skype.com/Emoji"'
PICTURE = 'itemtype="http://schema.skype.com/AMSImage"'
FILE_NAME = re.compile(r'<OriginalName v="([^"<>]{1,300})"')
CALL_BEGINS = '<partlist type="started"'
"""There is one more message when it ends."""


def edited(content: str) -> int | None:
    """The time of the first version of an edited message, in milliseconds since 1970."""
    match = EDITED.search(content)
    return int(match[1]) if match else None


def besides_text(kind: str, content: str) -> str:
    """What a message of this kind was besides text, see `preprocessors.media`."""
    own = content.rpartition("</blockquote>")[2]
    media = KINDS.get(kind, PHOTO if PICTURE in own else "")
    if media == FILE and (match := FILE_NAME.search(content)):
        return by_name(html.unescape(match[1]))
    return "" if media == CALL and content.startswith(CALL_BEGINS) else media


def typed(content: str) -> str:
    """What was typed."""
    if "<" not in content:
        return html.unescape(content).strip()
    if content.startswith(SHARED):
        return ""
    if EDITED.search(content):
        content = content.removeprefix(PREFIX)
    parts: list[str] = []
    waiting: list[str] = []
    """Signs behind the texts that are not over yet."""
    quotes = start = 0
    for match in TAG.finditer(content):
        if not quotes:
            parts.append(html.unescape(content[start : match.start()]))
        start = match.end()
        name, attributes = match[1].lower(), match[2]
        if name in QUOTES:
            quotes += not attributes.endswith("/")
        elif name.removeprefix("/") in QUOTES:
            quotes = max(0, quotes - 1)
        elif quotes:
            pass
        elif name in ("b", "i", "s", "pre", "code"):
            signs = dict(RAW.findall(attributes))
            parts.append(html.unescape(signs.get("pre", "")))
            waiting.append(html.unescape(signs.get("post", "")))
        elif name in ("/b", "/i", "/s", "/pre", "/code"):
            parts.append(waiting.pop() if waiting else "")
        elif name == "at" and not content.startswith("@", start):
            parts.append("@")
        elif name == "img" and EMOJI_IMAGE in attributes and (emoji := EMOJI.search(attributes)):
            parts.append(html.unescape(emoji[1]))
        elif name in ENDS_OF_LINES:
            parts.append("\n")
    if not quotes:
        parts.append(html.unescape(content[start:]))
    return "".join(parts).replace("\xa0", " ").strip()
