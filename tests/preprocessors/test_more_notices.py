"""What apps write in the place of texts: forms that few exports have, and words much like them that people type."""

from pathlib import Path

import pytest

from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.messenger.notices import Notices
from selfchatbot.preprocessors.reading.tapbacks import Tapbacks

KAKAO = "Moss 님과 카카오톡 대화\n저장한 날짜 : 2023-10-04\n\n--------------- 2023년 10월 4일 수요일 ---------------\n"


def contents(app: str, path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [message.content for message in Preprocessors[app]().read(path, [])]


@pytest.mark.parametrize("text", ["보이스톡 해요.", "이 메시지는 삭제되었습니다.", "동영상 3개"])
def test_kakaotalk(tmp_path: Path, text: str) -> None:
    lines = f"[Moss] [오후 4:17] 안녕\n[Rowan] [오후 4:18] {text}\nAnn님이 방장이 되어 모임을 맡습니다.\n"
    lines += f"[Moss] [오후 4:19] {text} 왜?\n"
    assert contents("KakaoTalk", tmp_path / "KakaoTalk.txt", KAKAO + lines) == ["안녕", f"{text} 왜?"]


@pytest.mark.parametrize(
    ("text", "is_typed"),
    [
        ("メッセージの送信を取り消しました", False),
        ("Rowanがメッセージの送信を取り消しました", False),
        ("Rowan unsent a message.", False),
        ("Mossがメッセージの送信を取り消しました", True),
        ("I unsent a message.", True),
    ],
)
def test_line_on_phones(tmp_path: Path, text: str, is_typed: bool) -> None:
    chat = "[LINE] Chat history with Moss\nSaved on: 2023/10/04 17:00\n\n2023/10/04(Wed)\n22:10\tMoss\thi\n"
    chat += f"22:11\tRowan\t{text}\n"
    assert contents("LINE", tmp_path / "line.txt", chat) == ["hi", text][: 1 + is_typed]


@pytest.mark.parametrize(
    ("text", "is_typed"),
    [("Moss Green.vcf", False), ("note to self.caf", False), ("report.pdf", True), ("mind_blown.gif", True)],
)
def test_imessage_attachments_of_which_the_name_is_left(tmp_path: Path, text: str, is_typed: bool) -> None:
    chat = f"May 17, 2022  5:29:42 PM\nMe\nhi\n\nMay 17, 2022  5:29:43 PM\nMoss\n{text}\n\n"
    assert contents("iMessage", tmp_path / "Moss.txt", chat) == ["hi", text][: 1 + is_typed]


def test_tapbacks_in_german() -> None:
    assert Tapbacks().is_one("Gefällt „bis morgen“")
    assert not Tapbacks().is_one("Gefällt mir, „bis morgen“ sagt sie")


def test_messenger_waves() -> None:
    notices = Notices(["Moss Green", "Rowan"])
    assert notices.wrote("You waved at Moss!", "Rowan", attached=False)
    assert not notices.wrote("You waved at him!", "Rowan", attached=False)
    assert not notices.wrote("You called Moss!", "Rowan", attached=False)


def test_a_log_named_after_network_and_channel_is_a_group(tmp_path: Path) -> None:
    log = tmp_path / "Libera-#hiking.log"
    log.write_text(
        "**** BEGIN LOGGING AT Tue Jan  2 10:00:00 2024\n\nJan 02 10:00:01 <ann>\thi\nJan 02 10:00:02 <bob>\tyo\n",
        encoding="utf-8",
    )
    files: list[ExportFile] = []
    assert [message.chat for message in Preprocessors["IRC"]().read(log, files)] == ["#hiking", "#hiking"]
    assert files[0].group is True
