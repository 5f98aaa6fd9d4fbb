"""Whether a text is one that some app writes itself, in any language that is known, whatever the export's format.

The tables are the formats' own. Compiling all of their patterns takes a tenth of a second, so that those of apps whose
notices a text can't be stay unread.
"""

import json
import re
from functools import cache
from pathlib import Path

from selfchatbot import preprocessors

_PHRASES = Path(preprocessors.__file__).parent / "whatsapp" / "phrases.json"
_HAN_KANA_HANGUL = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_MEDIA = frozenset(("photo", "photos", "image", "video", "videos", "sticker", "stickers", "gif", "emoticon", "audio"))
"""What LINE and KakaoTalk call media in English."""
_EDGES = " .。।۔<>[]\u200e\u200f"
_WHATSAPP_KEYS = ("omitted", "deleted", "mine", "call", "live", "unreadable", "timer")


def is_known_notice(text: str, author: str) -> bool:
    """Whether WhatsApp, KakaoTalk, LINE, Messenger or Instagram write ``text`` in the name of ``author``."""
    plain = text.strip(_EDGES).casefold()
    if plain in _MEDIA or plain in _of_whatsapp():
        return True
    if _HAN_KANA_HANGUL.search(text):
        from selfchatbot.preprocessors.kakaotalk.notices import is_whole
        from selfchatbot.preprocessors.line.computer import is_notice

        return is_whole(text) or is_notice(text)
    if " " in text and text.endswith((".", "!")):
        from selfchatbot.preprocessors.messenger.notices import Notices

        return Notices([author]).wrote(text, author, attached=False)
    return False


@cache
def _of_whatsapp() -> frozenset[str]:
    """Its phrases without gaps."""
    table = _PHRASES.read_text(encoding="utf-8")
    return frozenset(
        phrase.strip(_EDGES).casefold()
        for language in json.loads(table).values()
        for key in _WHATSAPP_KEYS
        for phrase in language.get(key, ())
        if "{}" not in phrase
    )
