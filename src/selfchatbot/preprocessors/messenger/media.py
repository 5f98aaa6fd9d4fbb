"""What a message of Messenger or Instagram was besides text."""

from typing import Any

from selfchatbot.preprocessors.media import CALL, FILE, GIF, PHOTO, STICKER, VIDEO, VOICE, by_name

_BY_KEY = {
    "photos": PHOTO,
    "videos": VIDEO,
    "audio_files": VOICE,
    "gifs": GIF,
    "sticker": STICKER,
    "files": FILE,
}


def besides_text(record: dict[str, Any]) -> str:
    """The kind, as in `preprocessors.media`; empty for a message of text alone, or with a link."""
    if "call_duration" in record or record.get("type") == "Call":
        return CALL
    for key, kind in _BY_KEY.items():
        if record.get(key):
            return kind
    media = record.get("media")  # of encrypted chats
    if isinstance(media, list) and media and isinstance(media[0], dict):
        return by_name(str(media[0].get("uri")))
    return ""
