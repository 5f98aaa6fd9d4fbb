"""KakaoTalk: the exports in kakaotalk/ give the messages in the .json beside them, and so do those of hypothesis."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from export_cases import check_typed, typed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.kakaotalk import KakaoTalk

EXPORTS = Path(__file__).parent / "kakaotalk"


def read(path: Path) -> tuple[list[tuple[str, str, str, str]], list[ExportFile]]:
    return typed(KakaoTalk(), path)


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    check_typed(KakaoTalk(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own(tmp_path: Path) -> None:
    assert Preprocessors["kakaotalk"] is KakaoTalk
    for path in (path for case in EXPORTS.iterdir() if case.is_dir() for path in case.iterdir()):
        assert KakaoTalk.recognises(path, path.read_bytes()[:65536]), path
    for other in (
        "1/5/23, 3:04 PM - Ann: hi\n",
        "2022. 3. 5. 오후 2:22 - 민준: 안녕\n",
        "2018/07/10(Tue)\n22:10\tAnn\ta : b\n",
    ):
        path = tmp_path / "other.txt"
        path.write_text(other, encoding="utf-8")
        assert not KakaoTalk.recognises(path, path.read_bytes())


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2016년 2월 5일 오후 12:33, A : x", "2016-02-05T12:33:00"),
        ("2016년 2월 5일 13:33, A : x", "2016-02-05T13:33:00"),
        ("2025. 10. 14. 오전 9:30, A : x", "2025-10-14T09:30:00"),
        ("Oct 14, 2025 at 9:30\u202fPM, A : x", "2025-10-14T21:30:00"),
        ("October 14, 2025 at 9:30\u202fp.m., A : x", "2025-10-14T21:30:00"),
        ("14 October 2025 at 21:30, A : x", "2025-10-14T21:30:00"),
        ("2016年2月5日 午前1:33, A : x", "2016-02-05T01:33:00"),
    ],
)
def test_dates_of_its_languages(tmp_path: Path, line: str, time: str) -> None:
    path = tmp_path / "chat.txt"
    path.write_text(f"head\n\n{line}\n", encoding="utf-8")
    assert read(path)[0] == [("chat", time, "A", "x")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b"dear diary\n", "no message of KakaoTalk"),
        ("a.txt", "오후 3:15, A : x\n".encode(), "no message of KakaoTalk"),
        ("a.txt", "2016년 2월 5일 오전 1:33, A님이 나갔습니다.\n".encode(), "no message of KakaoTalk"),
        ("a.txt", "2016년 2월 5일 오전 1:33, A : x\n".encode("cp949"), "line 1: byte 5 is not UTF-8"),
        ("a.csv", b"a,b\n", "line 1"),
        ("a.csv", b'Date,User,Message\n2024-01-05 18:30:12,"A"\n', "line 2"),
        ("a.csv", b'Date,User,Message\n2024-13-05 18:30:12,"A","x"\n', "line 2"),
        ("a.csv", b'Date,User,Message\n2024-01-05 18:30:12,"A","' + b"x" * 200_000, "line 2"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=reason) as caught:
        read(tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_beginnings_that_cannot_be_read_are_counted() -> None:
    _, files = read(EXPORTS / "windows-open")
    assert files[0].notes == ["1 line looks like the beginning of a message but can't be read, the first is line 23"]


# Below: an independent writer. It shares no code and no tables with the parser.

letters = st.characters(blacklist_categories=("Cs", "Cc"))
names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf")), min_size=1, max_size=12).filter(
    lambda name: (
        name == name.strip()
        and " : " not in name
        and not name.endswith(" :")
        and "] [" not in name
        and "님" not in name
    )
)
words = st.text(st.one_of(letters, st.sampled_from("\n\n:,[]- 년월일0123456789")), min_size=1, max_size=60).filter(
    lambda text: text == text.strip() and "님" not in text and "photo" not in text.casefold()
)
WEEK = "월화수목금토일"
FORMS = ("android", "windows", "ios", "english", "macos")


def half(time: datetime) -> str:
    return f"{'오전' if time.hour < 12 else '오후'} {time.hour % 12 or 12}:{time.minute:02}"


def written(form: str, messages: list[tuple[datetime, str, str | None]]) -> str:
    if form == "macos":
        table = io.StringIO()
        rows = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n")
        rows.writerows(
            (f"{time:%Y-%m-%d %H:%M:%S}", author, "사진" if text is None else text) for time, author, text in messages
        )
        return "Date,User,Message\n" + table.getvalue()
    lines = ["친구들 카카오톡 대화", "저장한 날짜 : 오늘", ""]
    day = None
    for time, author, content in messages:
        text = "사진" if content is None else content
        korean = f"{time.year}년 {time.month}월 {time.day}일"
        if time.date() != day:
            day = time.date()
            lines.append(
                {
                    "android": f"\n{korean} {half(time)}",
                    "windows": f"--------------- {korean} {WEEK[time.weekday()]}요일 ---------------",
                    "ios": f"{korean} {WEEK[time.weekday()]}요일",
                    "english": f"\n{time:%B} {time.day}, {time.year}, {time:%I:%M %p}",
                }[form]
            )
        lines.append(
            {
                "android": f"{korean} {half(time)}, {author} : {text}",
                "windows": f"[{author}] [{half(time)}] {text}",
                "ios": f"{half(time)}, {author} : {text}",
                "english": f"{time:%B} {time.day}, {time.year}, {time.hour % 12 or 12}:{time:%M %p}, {author} : {text}",
            }[form]
        )
    return "\n".join(lines) + "\n"


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    form=st.sampled_from(FORMS),
    people=st.lists(names, min_size=3, max_size=3, unique=True),
    rows=st.lists(
        st.tuples(st.one_of(st.none(), words), st.integers(0, 2), st.integers(0, 2000)), min_size=1, max_size=12
    ),
)
def test_any_chat_comes_back_message_for_message(
    tmp_path_factory: pytest.TempPathFactory, form: str, people: list[str], rows: list[tuple[str | None, int, int]]
) -> None:
    time = datetime(2023, 12, 31, 22, 30)
    messages = []
    for text, person, step in rows:
        time += timedelta(minutes=step)
        messages.append((time, people[person], text))
    path = tmp_path_factory.mktemp("chat") / ("chat.csv" if form == "macos" else "chat.txt")
    path.write_bytes(b"\xef\xbb\xbf" + written(form, messages).encode())
    found, files = read(path)
    chat = "chat" if form == "macos" else "친구들"
    assert found == [(chat, time.isoformat(), author, text) for time, author, text in messages if text is not None]
    assert files[0].messages == len(messages)


@settings(max_examples=examples(150))
@given(data=st.data())
def test_damaged_files_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(path for path in EXPORTS.rglob("*.[tc][xs][tv]"))))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), start + data.draw(st.integers(0, 100)))
        content[start:end] = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(content[end : end + 40]))))
    path = tmp_path_factory.mktemp("damaged") / source.name
    path.write_bytes(content)
    try:
        for _, time, author, text in read(path)[0]:
            assert time and author and text
    except SelfChatBotError as error:
        assert "\n" not in str(error)
