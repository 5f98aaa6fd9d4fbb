"""What a message of WhatsApp was besides text, from the words that the app writes in its place.

Android says only that something was left out; an iPhone says of which kind, and both name the files that they export.
"""

import json
import re
from pathlib import Path

from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.media import (
    AUDIO,
    CALL,
    GIF,
    LOCATION,
    MEDIA,
    PHOTO,
    STICKER,
    VIDEO,
    VOICE,
    by_name,
    transcript,
)
from selfchatbot.preprocessors.whatsapp.content import MARKS
from selfchatbot.preprocessors.whatsapp.locales import CALLS, LIVE, OMITTED, attached_name, plain

_PLACE = re.compile(r"https://maps\.google\.com/\?q=-?[\d.]+,-?[\d.]+\s*\Z|https://foursquare\.com/v/\S+\s*\Z")
_BY_PREFIX = {"PTT-": VOICE, "PTV-": VIDEO, "STK-": STICKER, "GIF-": GIF}
_IOS_NAME = re.compile(r"\d{5,}-(PHOTO|VIDEO|AUDIO|STICKER|GIF)-")
_BY_WORD = {"PHOTO": PHOTO, "VIDEO": VIDEO, "AUDIO": VOICE, "STICKER": STICKER, "GIF": GIF}
_TAG = re.compile(r"<[\u200e\u200f]?[^<>:\n]{1,40}: ([^<>\n]+)>\s*\Z")
_PATTERNS = {
    kind: re.compile("|".join(map(re.escape, words)))
    for kind, words in json.loads(Path(__file__).with_name("media.json").read_text(encoding="utf-8")).items()
}
"""Parts of the words for each kind in the phrases of ``phrases.json``, in the order in which they are looked for."""


def besides_text(text: str, path: ExportPath) -> tuple[str, str]:
    """The kind of what stands in the place of a message or of a part of it, empty for nothing; and what was said in it.

    ``text`` is the message as the export has it, ``path`` the file, beside which transcripts of voice messages may lie.
    """
    first, last = text.partition("\n")[0], text.rpartition("\n")[2]
    if _PLACE.search(text):
        return LOCATION, ""
    name = attached_name(first.lstrip("\u200e\u200f"))
    if name is None and (match := _TAG.search(last)):
        name = match[1]
    if name is not None:
        name = name.strip("\u200e\u200f ")
        kind = _kind_of_file(name)
        return kind, transcript(path, name) if kind in (VOICE, AUDIO) else ""
    for piece in (first, last, last[max(map(last.rfind, MARKS)) + 1 :]):
        words = plain(piece)
        if words in OMITTED:
            return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(words)), MEDIA), ""
        if words in LIVE:
            return LOCATION, ""
        if (
            words in CALLS or re.split("[.,。，]", words, maxsplit=1)[0] in CALLS
        ):  # "Missed voice call, tap to call back"
            return CALL, ""
    return "", ""


def _kind_of_file(name: str) -> str:
    if match := _IOS_NAME.match(name):
        return _BY_WORD[match[1]]
    return _BY_PREFIX.get(name[:4], by_name(name))
