"""LINE: every export in line/ gives the messages in the .json beside it, and so does what hypothesis writes."""

import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from export_cases import check_typed, typed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, ParametersError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.line import LINE

EXPORTS = Path(__file__).parent / "line"


def read(path: Path, **options: object) -> tuple[list[tuple[str, str, str, str]], list[ExportFile]]:
    return typed(LINE(**options), path)


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    check_typed(LINE(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own_also_in_a_zip(tmp_path: Path) -> None:
    assert Preprocessors["line"] is LINE
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in EXPORTS.rglob("*.txt"):
            assert LINE.recognises(path, path.read_bytes()[:65536]), path
            archive.write(path, f"{path.parent.name}/{path.name}")
    assert sorted(read(tmp_path)[0]) == sorted(
        message for case in EXPORTS.iterdir() if case.is_dir() for message in read(case)[0]
    )
    other = tmp_path / "b.txt"
    other.write_text("1/5/23, 3:04 PM - Ann: hi\n")
    assert not LINE.recognises(other, other.read_bytes())


@pytest.mark.parametrize(
    ("first", "second", "time"),
    [
        ("2568.11.27 วันพฤหัสบดี", "2568.11.28 วันศุกร์", "2025-11-28"),
        ("ศ. 06/06/2568", "ส. 07/06/2568", "2025-06-07"),
        ("Thứ Sáu, 28/11/2025", "Thứ Bảy, 29/11/2025", "2025-11-29"),
        # A Buddhist year is one of Thailand, where the day comes first, whatever the weekdays are called.
        ("Xyz 05/06/2568", "Zyx 06/06/2568", "2025-06-06"),
        ("2018/07/10(Tue)", "2018/07/11(Wed)", "2018-07-11"),
        ("2018/7/10（火）", "2018/7/11（水）", "2018-07-11"),
        ("2026/1/30周五", "2026/1/31周六", "2026-01-31"),
        ("2018.07.10 Tuesday", "2018.07.11 Wednesday", "2018-07-11"),
        ("2018년 7월 10일 화요일", "2018년 7월 11일 수요일", "2018-07-11"),
        ("Tue, 07/10/2018", "Wed, 07/11/2018", "2018-07-11"),
        ("Tue, 10/07/2018", "Wed, 11/07/2018", "2018-07-11"),
        # The weekdays of no known language tell as well: the same word, the same day of the week.
        ("Sel, 05/06/2018", "Sel, 12/06/2018", "2018-06-12"),
        ("อ., 05/06/2561", "พ., 06/06/2561", "2018-06-06"),
    ],
)
def test_days_of_many_countries(tmp_path: Path, first: str, second: str, time: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        f"[LINE] Chat history with A\nSaved\n\n{first}\n10:00\tA\tx\n\n{second}\n09:30\tB\ty\n", encoding="utf-8"
    )
    assert [(when, author, content) for _, when, author, content in read(path)[0]][1] == (f"{time}T09:30:00", "B", "y")


def test_an_undecided_order_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    # 5 November 2018 and 11 May 2020 are Mondays, and so are the other readings of neither: Xyz says nothing.
    path.write_text("[LINE] Chat history with A\n\nXyz, 05/11/2018\n10:00\tA\tsecret\n")
    with pytest.raises(ParametersError) as caught:
        read(path)
    assert "preprocessor_data.LINE.date_order" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert read(path, date_order="dmy")[0][0][1] == "2018-11-05T10:00:00"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"dear diary\n", "no message of LINE"),
        (b"[LINE] Chat history with A\n\n2018/07/10(Tue)\n", "no message of LINE"),
        (b"2018/07/10(Tue)\n10:00\tA\t\xff\n", "line 2"),
        ("2018/07/10(Tue)\n10:00\tA\tx\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "chat.txt").write_bytes(content)
    with pytest.raises(ExportError, match=reason) as caught:
        read(tmp_path)
    assert "chat.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_looks_like_a_beginning_and_cannot_be_read_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "[LINE] Chat history with A\nSaved\n\n2018/07/10(Tue)\n10:00\tA\tx\n10.01 h\tB\ty\n99:02\tA\tz\n"
        "Anno 2018, dies XI mensis 7\n10:00\tA\tw\n",
        encoding="utf-8",
    )
    messages, files = read(path)
    assert [content for *_, content in messages] == ["x\n10.01 h\tB\ty", "w"]
    assert files[0].notes == ["3 lines look like the beginning of a message but can't be read, the first is line 6"]


# Below: an independent writer. It shares no code and no tables with the parser.

letters = st.characters(blacklist_categories=("Cs", "Cc"))
names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf")), min_size=1, max_size=12).filter(
    lambda name: name == name.strip()
)
words = st.text(st.one_of(letters, st.sampled_from('\n\n"\t:/[]()0123456789')), min_size=1, max_size=60).filter(
    lambda text: text == text.strip() and text[0] not in "[☎"
)
DAYS = {
    "ja": ("{:%Y/%m/%d}({})", "月火水木金土日", "{h24}:{m:02}"),
    "en-us": ("{1}, {0:%m/%d/%Y}", ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "{h12}:{m:02}{p}"),
    "es": ("{1}, {0:%d/%m/%Y}", ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"], "{h24:02}:{m:02}"),
    "zh-hant": ("{:%Y/%m/%d}（{}）", "一二三四五六日", "{pc}{h12}:{m:02}"),
}


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "\n" in text else text


@st.composite
def chats(draw: st.DrawFn) -> tuple[str, list[tuple[datetime, str, str | None]]]:
    """The text of an export, and its messages; None stands for one in which nothing was typed."""
    day_form, weekdays, time_form = DAYS[draw(st.sampled_from(sorted(DAYS)))]
    people = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    # A whole week, so that no reading but the right one fits.
    time = datetime(2022, 5, 1, 0, 30)
    lines = ["[LINE] Chat history in Friends", "Saved on: some day", ""]
    messages: list[tuple[datetime, str, str | None]] = []
    for day in range(8):
        time = time.replace(hour=0, minute=30) + timedelta(days=1 if day else 0)
        lines.append(day_form.format(time, weekdays[time.weekday()]))
        for text, step in draw(st.lists(st.tuples(st.one_of(st.none(), words), st.integers(0, 100)), max_size=2)):
            time += timedelta(minutes=step)
            author = draw(st.sampled_from(people))
            stamp = time_form.format(
                h24=time.hour,
                h12=time.hour % 12 or 12,
                m=time.minute,
                p="AM" if time.hour < 12 else "PM",
                pc="上午" if time.hour < 12 else "下午",
            )
            lines.append(f"{stamp}\t{author}\t{'[Sticker]' if text is None else quoted(text)}")
            if draw(st.booleans()):
                lines.append(f"{stamp}\t{author} unsent a message.")
            messages.append((time, author, text))
        lines.append("")
    return "\n".join(lines) + "\n", messages


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(chat=chats())
def test_any_chat_comes_back_message_for_message(
    tmp_path_factory: pytest.TempPathFactory, chat: tuple[str, list[tuple[datetime, str, str | None]]]
) -> None:
    text, messages = chat
    path = tmp_path_factory.mktemp("chat") / "chat.txt"
    path.write_bytes(text.encode())
    if not messages:
        with pytest.raises(ExportError):
            read(path)
        return
    found, files = read(path)
    assert found == [("Friends", time.isoformat(), author, text) for time, author, text in messages if text is not None]
    assert files[0].messages == len(messages)


@settings(max_examples=examples(150))
@given(data=st.data())
def test_damaged_files_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(EXPORTS.rglob("*.txt"))))
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
