"""What KakaoTalk's words in the place of a message stand for."""

import re

from selfchatbot.preprocessors.media import CALL, CONTACT, FILE, LOCATION, PHOTO, STICKER, VIDEO, VOICE, by_name

_PATTERNS = {
    PHOTO: r"사진(?: \d+장)?|(?:\d+ )?[Pp]hotos?|写真",
    VIDEO: r"동영상(?: \d+개)?|[Vv]ideos?|動画",
    STICKER: r"이모티콘|Emoticons?|スタンプ",
    VOICE: r"음성 ?메시지|Voice (?:[Mm]essage|Note)|ボイスメッセージ",
    LOCATION: r"(?:지도|Map) ?:.*",
    CONTACT: r"(?:연락처|Contact) ?:.*|카카오톡 프로필|KakaoTalk Profile",
    FILE: r"(?:파일|File|ファイル) ?:.*",
    CALL: r"(?:보이스톡|페이스톡|그룹콜|(?:Voice|Face) Talk|(?:Voice|Video|Group) Call)\b.*",
}
_KINDS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _PATTERNS.items()}
_NAME = re.compile(r"[0-9a-f]{32,64}\.\w{3,4}")


def besides_text(text: str) -> str:
    """The kind, as in `preprocessors.media`, of what `notices.is_whole` recognised; empty for its other sentences."""
    if _NAME.fullmatch(text):
        return by_name(text)
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(text)), "")
