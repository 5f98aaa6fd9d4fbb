"""What people send besides text.

A format says what it was by one of these words in `Message.media`; a sticker may have its emoji behind the word.
"""

import re
from pathlib import Path, PurePath

PHOTO, VIDEO, STICKER, GIF, VOICE, AUDIO = "photo", "video", "sticker", "GIF", "voice message", "audio"
FILE, CONTACT, LOCATION, CALL = "file", "contact", "location", "call"
MEDIA = "media"
"""Where the export doesn't say of which kind."""

MAX_TRANSCRIPT_CHARACTERS = 20_000

_BY_SUFFIX = {
    PHOTO: "jpg jpeg png heic heif bmp tif tiff avif",
    VIDEO: "mp4 mov 3gp mkv webm m4v avi mpeg mpg",
    STICKER: "webp tgs",
    GIF: "gif",
    VOICE: "opus oga amr caf",
    AUDIO: "mp3 m4a aac ogg wav flac",
    CONTACT: "vcf",
}
_KINDS = {suffix: kind for kind, suffixes in _BY_SUFFIX.items() for suffix in suffixes.split()}
_VOICE_NAME = re.compile(r"(?:voice[-_ ]message|PTT-|Audio Message|audio_\d+@)", re.IGNORECASE)


def by_name(name: str) -> str:
    """The kind of a file, by its name."""
    kind = _KINDS.get(PurePath(name).suffix[1:].lower(), FILE)
    return VOICE if kind == AUDIO and _VOICE_NAME.match(PurePath(name).name) else kind


def by_url(url: str) -> str:
    """The kind of a file, by the address that it has, or had."""
    return by_name(url.partition("?")[0].partition("#")[0])


def by_content_type(content_type: str) -> str:
    """The kind of a file, by its MIME type."""
    kind, _, subtype = content_type.lower().partition("/")
    if kind == "image":
        return GIF if subtype == "gif" else PHOTO
    return {"video": VIDEO, "audio": AUDIO}.get(kind, CONTACT if "vcard" in subtype else FILE)


def sticker(emoji: object) -> str:
    """A sticker, with the emoji that it stands for, if there is one."""
    return f"{STICKER} {emoji.strip()}" if isinstance(emoji, str) and emoji.strip() else STICKER


def emoji_of(media: str) -> str:
    """The emoji that a sticker stands for, empty for all else."""
    return media.removeprefix(STICKER).strip() if media.startswith(STICKER) else ""


def transcript_files(voice: Path) -> tuple[Path, Path]:
    """Where the transcript of a voice message may lie."""
    return voice.with_suffix(".txt"), voice.with_name(f"{voice.name}.txt")


def transcript(export: Path | object, name: str) -> str:
    """What was said in a voice message: the ``.txt`` of the same name beside it, empty where there is none.

    ``name`` is the path of the voice message from the folder of ``export``, in which the transcript has to lie.
    """
    if not isinstance(export, Path):
        return ""
    folder = export.parent.resolve()
    try:
        for path in transcript_files(export.parent / name):
            if path.is_file() and path.resolve().is_relative_to(folder):
                return path.read_text(encoding="utf-8-sig", errors="replace")[:MAX_TRANSCRIPT_CHARACTERS].strip()
    except (OSError, ValueError):
        pass
    return ""
