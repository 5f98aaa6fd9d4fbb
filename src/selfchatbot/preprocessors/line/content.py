"""The text of one message: what its author typed, without what LINE writes in its place."""

import re

ALONE = {
    "en": "Photo|Video|Sticker|Voice message|Audio|Contact|Gift|Location|File|Album|Poll",
    "ja": "写真|動画|スタンプ|ボイスメッセージ|連絡先|プレゼント|位置情報|ファイル|アルバム|投票",
    "zh-Hans": "照片|视频|贴图|语音信息|联系人|位置|文件|礼物|相册",
    "zh-Hant": "影片|貼圖|語音訊息|聯絡資訊|位置訊息|檔案|禮物|相簿",
    "ko": "사진|동영상|스티커|음성 메시지|연락처|선물|위치 정보|파일|앨범|투표",
    "th": "รูป|รูปภาพ|วิดีโอ|สติกเกอร์|ข้อความเสียง|รายชื่อติดต่อ|ไฟล์|ของขวัญ",
    "id": "Foto|Stiker|Pesan suara|Kontak|Hadiah|Lokasi",
}
"""In square brackets, in the place of a whole message."""
BEFORE = {
    "en": "Location|File|Albums|Album|Notes|Note|Polls|Poll|null",
    "ja": "位置情報|ファイル|アルバム|ノート|投票",
    "zh-Hans": "位置|文件|相册|记事本",
    "zh-Hant": "位置訊息|檔案|相簿|記事本",
    "ko": "위치 정보|파일|앨범|노트|투표",
    "th": "ไฟล์",
    "id": "Lokasi",
}
"""In square brackets before a place, the name of a file or an album, or the begin of a note."""
CALL = "☎"
INFORMATION = "ⓘ "
"""Before what LINE says in the place of a message that it can't show."""

UNSENT = frozenset(
    (
        "unsent a message.",
        "メッセージの送信を取り消しました",
        "已收回訊息",
        "收回了訊息",
        "已收回訊息。",
        "메시지 보내기를 취소했습니다.",
    )
)
"""About the author of a message that is gone, whose name may stand before it once more."""
_ALONE = frozenset(f"[{word}]".casefold() for words in ALONE.values() for word in words.split("|"))
_BEFORE = (CALL, *(f"[{word}] " for words in BEFORE.values() for word in words.split("|")))
_QUOTES = re.compile('"+')


def typed(text: str, author: str) -> str:
    """What the author typed of ``text``, empty where that is nothing."""
    if text in UNSENT or (text.startswith(author) and text[len(author) :].lstrip(" が") in UNSENT):
        return ""
    if "\n" in text and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
        if all(len(run) % 2 == 0 for run in _QUOTES.findall(text)):
            text = text.replace('""', '"')
    if text.startswith(INFORMATION):
        return ""
    if text.startswith(("[", CALL)) and (text.startswith(_BEFORE) or text.casefold() in _ALONE):
        return ""
    return "" if text.isspace() else text
