"""What a message of Telegram's JSON was besides text."""

from typing import Any

from selfchatbot.preprocessors.media import (
    AUDIO,
    CALL,
    CONTACT,
    GIF,
    LOCATION,
    PHOTO,
    STICKER,
    VIDEO,
    VOICE,
    by_content_type,
    sticker,
)

_BY_TYPE = {
    "sticker": STICKER,
    "voice_message": VOICE,
    "video_message": VIDEO,
    "video_file": VIDEO,
    "animation": GIF,
    "audio_file": AUDIO,
}
_BY_KEY = {"photo": PHOTO, "location_information": LOCATION, "contact_information": CONTACT}


def besides_text(record: dict[str, Any]) -> str:
    """The kind, as in `preprocessors.media`; empty for a message of text alone."""
    if record.get("action") == "phone_call":
        return CALL
    kind = record.get("media_type")
    if kind == "sticker":
        return sticker(record.get("sticker_emoji"))
    if isinstance(kind, str) and kind in _BY_TYPE:
        return _BY_TYPE[kind]
    for key, found in _BY_KEY.items():
        if record.get(key):
            return found
    if record.get("file"):
        mime = record.get("mime_type")
        return by_content_type(mime if isinstance(mime, str) else "")
    return ""
