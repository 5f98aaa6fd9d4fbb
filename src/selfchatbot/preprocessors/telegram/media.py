"""What a message of Telegram was besides text."""

from typing import Any

from selfchatbot.preprocessors.media import (
    AUDIO,
    CALL,
    CONTACT,
    FILE,
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


_BY_CLASS = {
    "photo_wrap": PHOTO,
    "media_photo": PHOTO,
    "sticker_wrap": STICKER,
    "animated_wrap": GIF,
    "video_file_wrap": VIDEO,
    "media_video": VIDEO,
    "media_voice_message": VOICE,
    "media_audio_file": AUDIO,
    "media_file": FILE,
    "media_contact": CONTACT,
    "media_location": LOCATION,
    "media_live_location": LOCATION,
    "media_venue": LOCATION,
    "media_call": CALL,
}
_BY_TITLE = {"Sticker": STICKER, "Animation": GIF}
"""What is shown as a picture or a video where it was not exported."""


def by_class(classes: str) -> str:
    """The kind of what the HTML has in an element with these classes; empty for polls, games and invoices."""
    return next((_BY_CLASS[one] for one in classes.split() if one in _BY_CLASS), "")


def by_title(media: str, title: str) -> str:
    """The kind of what has a title in the HTML, which its ``media`` doesn't tell from a picture or a video."""
    return _BY_TITLE.get(title, media) if media in (PHOTO, VIDEO) else media


def by_status(media: str, status: str) -> str:
    """The kind of what has a line below its title in the HTML: a sticker has its emoji there, then its size."""
    emoji = status.partition(", ")[0]
    return sticker(emoji) if media == STICKER and not emoji.isascii() else media


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
