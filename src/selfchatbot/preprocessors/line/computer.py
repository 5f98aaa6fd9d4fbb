"""Exports of LINE on computers: blanks separate names from texts, and no brackets mark what LINE itself writes.

As exports and the filters of public parsers have it: English, Japanese, Chinese, Thai, and Korean for media. Names are
found out from the lines that can only begin with one, and from what most lines of somebody have in common.
"""

import re
from collections import Counter
from collections.abc import Iterable

_MEDIA = {
    "en": "Photos Photo Videos Video Stickers Sticker Audio Files Contacts Gifts Location",
    "ja": "画像 写真 動画 スタンプ ボイスメッセージ ファイル 連絡先 位置情報 アルバム ノート プレゼント",
    "zh-Hant": "圖片 照片 影片 貼圖 語音訊息 檔案 聯絡資訊 位置訊息 位置資訊 相簿 記事本 禮物",
    "zh-Hans": "图片 视频 贴图 语音信息 文件 联系人 位置 相册 礼物",
    "th": "รูป รูปภาพ วิดีโอ สติกเกอร์ ข้อความเสียง ไฟล์ รายชื่อติดต่อ ของขวัญ",
    "ko": "사진 동영상 스티커 파일 연락처",
}
MEDIA = frozenset(word for words in _MEDIA.values() for word in words.split())
"""The whole text where a picture and the like was sent."""
NOTICE = re.compile(
    "|".join(
        (
            r"unsent a message\.|(?:joined|left) the (?:chat|group)\.|Message unsent\.|Voice messages?|Auto-reply.*",
            r"(?:added|invited|removed) .+ (?:to|from) the (?:chat|group)\.|changed the (?:chat|group)(?:['’]s)? .+",
            r"made an announcement\.",
            r"(?:created|added) (?:an?|the|photos to the) (?:new )?(?:album|note|poll|event).*\.",
            r"(?:☎ ?)?(?:(?:Missed|Canceled|Cancelled|Unanswered) call|No answer)|Call canceled|\d{1,2}:\d\d:\d\d",
            r"(?:☎ ?)?(?:Call time|通話時間|通话时间|통화시간|ระยะเวลาการโทร) ?\d[\d:]*",
            r"Group (?:call|video chat) (?:started|ended)\.?|メッセージの送信を取り消しました。?",
            r"(?:☎ ?)?(?:不在着信|通話をキャンセルしました|通話に応答がありませんでした|応答なし)",
            r"(?:グループ|ビデオ)通話が(?:開始されました|終了しました)。?",
            r".*をグループに(?:招待|追加)しました。?|\[投票(?:終了)?\].*",
            r"已收回訊息。?|收回了訊息。?|撤回了一条消息。?|已收回消息。?",
            r"(?:☎ ?)?(?:您已)?(?:未接來電|未接来电|取消通話|取消通话|無人接聽|無應答|无人接听|无应答)",
            r"已(?:新增新的|分享)(?:記事本|相簿)。?|已設定(?:<u>)?公告(?:</u>)?。?",
            r"ไม่ได้รับสาย|ยกเลิกข้อความ(?:แล้ว)?|ยกเลิกการโทร|เขียนโน้ตใหม่|เพิ่ม(?:<u>)?ประกาศ(?:</u>)?",
            r"(?:ออกจาก|เข้าร่วม)กลุ่ม(?:แล้ว)?|메시지(?: 보내기)?를 취소했습니다\.?|부재중 전화",
        )
    )
)
"""The whole text of what LINE says about somebody, behind a blank."""
_ABOUT = re.compile(
    ".{1,80}?(?:"
    + "|".join(
        (
            "が(?:グループに)?(?:参加|退出|退会)しました。?|がメッセージの送信を取り消しました。?",
            "をグループに(?:招待|追加)しました。?|がグループ名を.+変更しました。?|がアルバム.+しました。?",
            "已加入群組。?|已(?:退出|離開)群組。?|已將.+(?:退出|移出)群組。?|邀請.+加入群組。?",
            "加入聊天。?|離開聊天。?|已收回訊息。?|已加入该群。?|已退群。?|เข้ากลุ่ม|ออกจากกลุ่ม(?:แล้ว)?",
        )
    )
    + ")"
)
"""What LINE says about somebody without a blank behind the name."""
WORDS = 5
"""Most words of a name."""
SHARE = 0.8


def is_notice(text: str) -> bool:
    """Whether LINE itself wrote ``text``, which follows a name."""
    return text in MEDIA or NOTICE.fullmatch(text) is not None


def is_about_somebody(rest: str) -> bool:
    """Whether ``rest``, which begins with no known name, is a sentence of LINE about somebody."""
    return NOTICE.fullmatch(rest) is not None or _ABOUT.fullmatch(rest) is not None


def names_in(rests: Iterable[str]) -> set[str]:
    """Names with blanks in them, from what follows the times."""
    prefixes: Counter[str] = Counter()
    whole: set[str] = set()
    certain: set[str] = set()
    for rest in rests:
        words = rest.split(" ")[: WORDS + 1]
        prefixes.update(" ".join(words[:count]) for count in range(1, len(words)))
        if len(words) <= WORDS:
            whole.add(rest)
        for count in range(2, len(words)):
            if is_notice(rest.split(" ", count)[count]):
                certain.add(" ".join(words[:count]))
                break
    # A word of a text may stand before "Photos" as well: a name begins several lines.
    found = {name for name in certain if prefixes[name] > 1 and name not in whole}
    for start in [prefix for prefix, count in prefixes.items() if " " not in prefix and count > 2]:
        found |= _longer(start, prefixes, whole)
    return found


def _longer(name: str, prefixes: Counter[str], whole: set[str]) -> set[str]:
    """The names that ``name`` is the beginning of: with further words in nearly all of its lines, and never alone."""
    further = [
        prefix
        for prefix, count in prefixes.items()
        if count > 2 and prefix not in whole and prefix.rpartition(" ")[0] == name
    ]
    if not further or sum(prefixes[prefix] for prefix in further) < SHARE * prefixes[name]:
        return set()
    return {longer for prefix in further for longer in (_longer(prefix, prefixes, whole) or {prefix})}
