r"""What KakaoTalk itself writes into a chat: in the place of a message, or between messages.

As exports and the filters of public parsers have it, Korean and English, and Japanese for media. The names of people
are part of the sentences about them; open chats add a warning to the one about somebody who came in. What people write
as well is told by its form: sums of money with commas and a full stop, a gift by one word for a shop.
"""

import re
from collections.abc import Container

_SUM = r"\d{1,3}(?:,\d{3})*원"
_LENGTH = r"\d[\d:]*"
_SHOP = r"(?!(?:어제|오늘|방금|아까|이미|먼저|작은|생일|결혼|축하) )[^\s]{1,20}(?<![이가은는게테께도로])"

WHOLE = re.compile(
    "|".join(
        (
            # Media, files, places, contacts.
            r"사진(?: \d+장)?|동영상(?: \d+개)?|이모티콘|음성 ?메시지|카카오톡 프로필|<\S+ 읽지 않음>",
            r"(?:파일|지도|연락처|샵검색) ?: ?\S[^\n]*|[^\n]*' 음악을 공유했습니다\.|[0-9a-f]{32,64}\.\w{3,4}",
            r"Photos?|\d+ [Pp]hotos|[Vv]ideos?|Emoticons?|Voice (?:[Mm]essage|Note)|KakaoTalk Profile",
            r"(?:File|Map|Contact): ?\S[^\n]*|写真|動画|スタンプ|ボイスメッセージ|ファイル: ?\S[^\n]*",
            # Deleted and hidden.
            r"삭제된 메시지입니다\.?|(?:이 메시지는|메시지가) 삭제되었습니다\.?",
            r"(?:채팅방 )?관리자가 메시지를 가렸습니다\.?",
            r"(?:This|The) message (?:was|has been) deleted\.|Deleted message\.|This message\.",
            # Calls, live talks, voice rooms.
            r"(?:보이스톡|페이스톡|그룹콜|라이브톡) (?:해요|취소|부재중|거절|응답 ?없음)\.?",
            rf"(?:보이스톡|페이스톡|그룹콜|라이브톡) (?:(?:시작|종료) ?)?(?:{_LENGTH})?(?<=[\d작료])",
            rf"보이스룸이 방금 시작했어요\.|보이스룸 종료(?: {_LENGTH})?",
            r"(?:Voice|Face|Live) Talk (?:started|ended|canceled|missed)|(?:Voice|Video) Call (?:canceled|missed)",
            rf"(?:Voice|Face|Live) Talk (?:ended )?{_LENGTH}|(?:Voice|Video|Group) Call {_LENGTH}",
            # The board of a chat: notices, polls, schedules, shared posts.
            r"톡게시판 '[^'\n]{1,20}': ?.*",
            # Gifts, and KakaoPay.
            r"(?:[^\n]{1,40} )?선물과 메시지를 보냈(?:습니다|어요)\..*|선물을 보냈습니다\.\s*지금 확인해.*",
            rf"{_SHOP} 선물을 보냈어요\.",
            rf"{_SUM}을 (?:보냈어요|받으세요|받았어요|요청했어요|송금해주세요)\.(?: (?:송금 받기|받은 |보내기|\*).*)?",
            rf"{_SUM} (?:받기 완료!|자동환불 (?:예정|완료)|송금 ?요청 메[시세]지가 도착했어요\.).*",
            r"송금봉투(?:가 도착했어요|를 받았어요)\..*|정산을 시작합니다! 요청인원.*",
            r"정산 내용을 확인해주세요\.(?:\s.*(?:정산|요청|송금).*)?",
        )
    ),
    re.DOTALL,
)
"""Stands in the place of a whole message."""
FIRST = frozenset("사동이음카<파지연샵PVvEKFCM写動スボフ삭메채관TDGL보페그라톡정송0123456789")
"""How what stands there can begin, but for gifts, music and names of files."""

EVENT = re.compile(
    "|".join(
        (
            r"(?P<person>[^\n]{1,60}?)님이 (?:들어왔습니다|나갔습니다)\.?"
            r"(?:[^\n]*사칭에 유의[^\n]*|운영정책을 위반한 [^\n]*)?",
            r"[^\n]{1,60}님을 ?(?:내)?보냈습니다\.?",
            r"[^\n]{1,60}님이 [^\n]+님을 (?:초대했습니다|초대하였습니다|내보냈습니다)\.?",
            r"[^\n]{1,60}님이 (?:부방장이 되었습니다|부방장에서 해제되었습니다)\.?",
            r"[^\n]{1,60}님이 (?:새 )?방장이 되(?:었습니다|어 [^\n]{1,40}니다)\.?",
            r"(?:채팅방 )?관리자가 메시지를 가렸습니다\.?|관리자만 말하기 기능이 (?:활성화|해제)되었습니다\.?",
            r"메시지가 삭제되었습니다\.?|삭제된 메시지입니다\.?|The message has been deleted\.",
            r"[^\n]{0,60}방장이 변경되었습니다\.?|팀 이름이 변경되었습니다\.?",
            r"[^\n]{0,60}채팅방 이름을 [^\n]+ 변경(?:하였|했)습니다\.?",
            r"[^\n]{1,60} (?:joined|left) (?:this|the) chat ?room\.",
            r"[^\n]{1,60} invited [^\n]+ to (?:this|the) chat ?room\.",
        )
    )
)
"""About people, between messages. On Windows, on a line without a time."""
LEFT = re.compile(r"([^\n]{1,60}) (?:left|joined|invited [^\n]{1,200})\.")
"""The English of Windows, which people write as well: only of those who write in the chat."""
WARNING = re.compile(
    r"불법촬영물등 식별 및 게재제한 조치 안내|그룹 오픈채팅방에서 동영상[^\n]*(?:게재제한|불법촬영물)[^\n]*"
    r"|[^\n]{0,40}타인, 기관 등의 사칭에 유의해 주세요\.[^\n]*"
    r"|운영정책을 위반한 메시지로 신고 접수 시 카카오톡 이용에 제한이 있을 수 있습니다\. ?"
)
"""The further lines of what an open chat says to somebody who comes in."""


def is_whole(text: str) -> bool:
    """Whether the app, or what it calls a picture, stands in the place of a message. ``text`` is not empty."""
    # Most texts are told without the long pattern.
    if not (text[0] in FIRST or "선물" in text or "음악을" in text or (len(text) > 32 and " " not in text[:33])):
        return False
    return WHOLE.fullmatch(text) is not None


def is_event(line: str, names: Container[str]) -> bool:
    """Whether a line without a time is the app's; ``names`` holds those who write in the chat."""
    if not line.endswith((".", "다", " ", "내")):
        return False
    if EVENT.fullmatch(line) or WARNING.fullmatch(line):
        return True
    match = LEFT.fullmatch(line)
    return match is not None and match[1] in names


def is_event_about(text: str, person: str) -> bool:
    """Whether a row of a table that gives ``person`` as its author is the app's.

    Of what is written about somebody who came or left, that somebody is the author; others can have typed it.
    """
    first, *others = (line.rstrip() for line in text.strip().split("\n"))
    if not first.endswith((".", "다")):
        return False
    match = EVENT.fullmatch(first)
    return match is not None and match["person"] in (None, person) and all(map(WARNING.fullmatch, others))
