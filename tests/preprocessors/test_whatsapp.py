"""WhatsApp: every export in whatsapp/ gives the messages in the .json beside it, and so does what hypothesis writes."""

import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from export_cases import check_typed, typed

from selfchatbot.conversations.duplicates import Duplicates
from selfchatbot.errors import ExportError, ParametersError
from selfchatbot.messages import Message
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.whatsapp import WhatsApp

EXPORTS = Path(__file__).parent / "whatsapp"
LRM = "\u200e"


def read(path: Path, **options: object) -> tuple[list[tuple[str, str, str, str]], list[ExportFile]]:
    return typed(WhatsApp(**options), path)


def write(folder: Path, name: str, *lines: str, end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes((end.join(lines) + end).encode())
    return path


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    check_typed(WhatsApp(), EXPORTS, case)


def test_the_phones_zip_is_read_in_place_without_the_text_files_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "WhatsApp Chat - Familie Öztürk.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(EXPORTS / "ios-de" / "WhatsApp Chat - Familie Öztürk" / "_chat.txt", "_chat.txt")
        archive.writestr("00000012-Notizen.txt", "[13.02.21, 18:00:00] Opa: kein Chat\n")
        archive.writestr("Rezept.txt", "2 Eier\n")
        archive.writestr("00000005-PHOTO-2021-02-05-08-03-00.jpg", b"\xff\xd8\0")
    messages, files = read(tmp_path)
    assert messages == read(EXPORTS / "ios-de")[0]
    assert files[-1].me == "Lena"
    assert [one.path.name for one in files if one.notes == ["no chat, so it was left out"]] == ["Rezept.txt"]


def test_it_is_registered_and_recognises_its_own(tmp_path: Path) -> None:
    assert Preprocessors["whatsapp"] is WhatsApp
    for path in EXPORTS.rglob("*.txt"):
        assert WhatsApp.recognises(path, path.read_bytes()[:65536]), path
    other = write(tmp_path, "a.txt", "[LINE] Chat history with Ann", "", "2018/07/10(Tue)", "22:10\tAnn\tnote: hi")
    assert not WhatsApp.recognises(other, other.read_bytes())


@pytest.mark.parametrize(
    ("first", "second", "time"),
    [
        ("12/31/20, 11:59 PM - A: x", "1/1/21, 12:01 AM - B: y", "2021-01-01T00:01:00"),
        ("[31/12/2022 11:40:26] A: x", "[01/01/2023 11:40:26] B: y", "2023-01-01T11:40:26"),
        ("[31.12.22, 11:40:26] A: x", "[01.01.23, 11:40:26] B: y", "2023-01-01T11:40:26"),
        ("09/17/19, 8:30:52 AM - A: x", "09/18/19, 8:30:52 AM - B: y", "2019-09-18T08:30:52"),
        ("2019/01/01, 11:25 - A: x", "2019/02/01, 11:25 - B: y", "2019-02-01T11:25:00"),
        ("17.9.2019 klo 11.25 - A: x", "1.10.2019 klo 11.25 - B: y", "2019-10-01T11:25:00"),
        ("17/9/2019, 11:25 a.\u00a0m. – A: x", "1/10/2019, 11:25 p.\u00a0m. – B: y", "2019-10-01T23:25:00"),
        ("[15-01-20 02:22:56] A: x", "[01-02-20 02:22:56] B: y", "2020-02-01T02:22:56"),
        ("15/01/2020 à 14:22 - A: x", "01/02/2020 à 14:22 - B: y", "2020-02-01T14:22:00"),
        ("14:22, 15/1/2020 - A: x", "9:05, 1/2/2020 - B: y", "2020-02-01T09:05:00"),
        ("2020/1/15 下午2:22 - A: x", "2020/2/1 上午12:22 - B: y", "2020-02-01T00:22:00"),
        ("15.01.20 г., 14:22 ч. - A: x", "1.02.20 г., 14:22 ч. - B: y", "2020-02-01T14:22:00"),
        ("2020-01-15, 2:22 p.m. - A: x", "2020-02-01, 2:22 a.m. - B: y", "2020-02-01T02:22:00"),
        ("15/01/14 14:22:56: A: x", "01/02/14 14:22:56: B: y", "2014-02-01T14:22:56"),
        ("१५/०१/२०२०, २:२२ pm - A: x", "०१/०२/२०२०, २:२२ pm - B: y", "2020-02-01T14:22:00"),
        ("[15/1/2563 14:22:56] A: x", "[1/2/2563 14:22:56] B: y", "2020-02-01T14:22:56"),
        ("[۱۳۹۸/۱۰/۲۵،\u200f ۱۴:۲۲:۵۶] A: x", "[۱۳۹۸/۱۱/۱۲،\u200f ۱۴:۲۲:۵۶] B: y", "2020-02-01T14:22:56"),
        ("2024-05-03 15 h 04 - A: x", "2024-05-23 9 h 30 - B: y", "2024-05-23T09:30:00"),
        ("[2024-05-03 15 h 04 min 05 s] A: x", "[2024-05-23 9 h 30 min 05 s] B: y", "2024-05-23T09:30:05"),
        ("23.05.24, 9:04 vorm. - A: x", "24.05.24, 12:30 nachm. - B: y", "2024-05-24T12:30:00"),
        ("23.05.24, 9:04 abends - A: x", "24.05.24, 12:30 nachts - B: y", "2024-05-24T00:30:00"),
        ("23. 05. 24 9:04 dop. - A: x", "24. 05. 24 3:04 pop. - B: y", "2024-05-24T15:04:00"),
        ("23/5/24, 11:50 de la noche - A: x", "24/5/24, 2:10 de la madrugada - B: y", "2024-05-24T02:10:00"),
        ("23/5/24, 11:50 at night - A: x", "24/5/24, 2:10 at night - B: y", "2024-05-24T02:10:00"),
        ("23.05.2024 ÖÖ 9:04 - A: x", "24.05.2024 ÖS 3:04 - B: y", "2024-05-24T15:04:00"),
        ("2024/5/23 凌晨2:10 - A: x", "2024/5/24 中午12:10 - B: y", "2024-05-24T12:10:00"),
        ("23/5/67 14:22 น. - A: x", "24/5/67 0:22 น. - B: y", "2024-05-24T00:22:00"),
        ("[3/27/R4, 21:41:35] A: x", "[1/12/R5, 2:05:44] B: y", "2023-01-12T02:05:44"),
        ("[H31/4/30, 21:41:35] A: x", "[R1/5/1, 2:05:44] B: y", "2019-05-01T02:05:44"),
        ("[令和4年3月27日 21:41:35] A: x", "[令和5年1月12日 2:05:44] B: y", "2023-01-12T02:05:44"),
        ("[民國111/3/27 下午9:41:35] A: x", "[民國112/1/12 上午2:05:44] B: y", "2023-01-12T02:05:44"),
        ("[3/18/2565 BE, 14:56:01] A: x", "[3/27/2565 BE, 21:41:35] B: y", "2022-03-27T21:41:35"),
    ],
)
def test_dates_of_many_countries(tmp_path: Path, first: str, second: str, time: str) -> None:
    messages, _ = read(write(tmp_path, "WhatsApp Chat with A.txt", first, second))
    assert [(author, content) for _, _, author, content in messages] == [("A", "x"), ("B", "y")]
    assert messages[1][1] == time


def test_neighbours_tell_the_order_of_day_and_month(tmp_path: Path) -> None:
    write(tmp_path, "WhatsApp Chat with A.txt", "05/01/20, 10:00 - A: x")
    write(tmp_path, "WhatsApp Chat with B.txt", "25/01/20, 10:00 - B: y")
    assert [time for _, time, _, _ in read(tmp_path)[0]] == ["2020-01-05T10:00:00", "2020-01-25T10:00:00"]
    alone = read(tmp_path / "WhatsApp Chat with A.txt")[0]
    assert alone[0][1] == "2020-01-05T10:00:00"


def test_an_undecided_order_names_the_key(tmp_path: Path) -> None:
    path = write(tmp_path, "WhatsApp Chat with A.txt", "5/1/20, 10:00 - A: secret")
    with pytest.raises(ParametersError) as caught:
        read(path)
    assert "WhatsApp Chat with A.txt" in str(caught.value)
    assert "preprocessor_data.WhatsApp.date_order" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert read(path, date_order="mdy")[0][0][1] == "2020-05-01T10:00:00"


@pytest.mark.parametrize(
    ("name", "line", "month"),
    [
        # A zero, or am and pm in lower case, is written by people who put the day first; so is a word of theirs.
        ("WhatsApp Chat with A.txt", "[05/01/20, 2:22:56 PM] A: x", 1),
        ("WhatsApp Chat with A.txt", "05/01/2020, 14:22 - A: x", 1),
        ("WhatsApp Chat with A.txt", "5/1/20, 2:22\u202fpm - A: x", 1),
        ("WhatsApp Chat with A.txt", "5/1/20, 2:22 da tarde - A: x", 1),
        ("WhatsApp Chat with A.txt", "5/1/20, 2:22 p. m. - A: x", 1),
        ("WhatsApp Chat with A.txt", "५/१/२०, १४:२२ - A: x", 1),
        # Buddhist and Islamic years, without the name of the calendar.
        ("WhatsApp Chat with A.txt", "5/1/63 14:22 - A: x", 1),
        ("WhatsApp Chat with A.txt", "[5/1/2563 14:22:56] A: x", 1),
        ("WhatsApp Chat with A.txt", "[1/5/1441, 14:22:56] A: x", 12),
        # The language of the file's name, or of what the app writes.
        ("Conversa do WhatsApp com A.txt", "5/1/20, 14:22 - A: x", 1),
        ("chat.txt", "5/1/20, 14:22 - A: <Médias omis>\n5/1/20, 14:22 - A: x", 1),
        # The United States.
        ("WhatsApp Chat with A.txt", "[5/1/20, 2:22:56 PM] A: x", 5),
        ("WhatsApp Chat with A.txt", "[5/1/2563 BE, 2:22:56 PM] A: x", 5),
    ],
)
def test_how_dates_are_written_tells_the_order_in_a_small_chat(
    tmp_path: Path, name: str, line: str, month: int
) -> None:
    messages, files = read(write(tmp_path, name, line))
    assert datetime.fromisoformat(messages[0][1]).month == month
    # What is read month first without proof is said.
    assert any("month/day" in note and "date_order" in note for note in files[0].notes) == (month == 5)


@pytest.mark.parametrize("line", ["5/1/20, 14:22 - A: x", "[5/1/2020, 14:22:56] A: x", "10/11/20, 14:22 - A: x"])
def test_an_order_that_nothing_tells_is_asked_for(tmp_path: Path, line: str) -> None:
    with pytest.raises(ParametersError, match="date_order"):
        read(write(tmp_path, "WhatsApp Chat with A.txt", line))


def test_a_neighbour_that_is_no_chat_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, "WhatsApp Chat with A.txt", "5/1/20, 10:00 - A: x")
    write(tmp_path, "WhatsApp Chat with B.txt", "25/1/20, 10:00 - B: y")
    write(tmp_path, "notes.txt", "nothing")
    assert read(path)[0][0][1] == "2020-01-05T10:00:00"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"dear diary\nnothing happened\n", "no message of WhatsApp"),
        (b"5/13/20, 10:00 - Anna added Bob\n", "no message of WhatsApp"),
        ("5/13/20, 10:00 - A: x\n".encode("utf-16"), "UTF-16"),
        (b"5/13/20, 10:00 - A: x\n5/13/20, 10:01 - A: \xff\n", "line 2"),
        (b"5/13/20, 10:00 - A: x\0\n", "line 1"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "WhatsApp Chat with A.txt"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=reason) as caught:
        read(tmp_path)
    assert "WhatsApp Chat with A.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "[13/05/2020, 10:00:00] B: hi",
        "5/13/20, 10:00 in a language of the future - B: hi",
        "31/31/20, 10:00 - B: hi",
        "5/13/20, 25:00 - B: hi",
    ],
)
def test_beginnings_that_cannot_be_read_are_text_and_said(tmp_path: Path, line: str) -> None:
    path = write(
        tmp_path, "WhatsApp Chat with A.txt", "5/13/20, 10:00 - A: he wrote", line, "5/13/20, 10:01 - B: 5/13/20, 10:00"
    )
    messages, files = read(path)
    assert [content for *_, content in messages] == [f"he wrote\n{line}", "5/13/20, 10:00"]
    [note] = files[0].notes
    assert note.startswith("1 line(s)")
    assert note.endswith("line 2)")
    assert "hi" not in note.split()


def test_numbers_in_a_message_are_no_beginning(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "WhatsApp Chat with A.txt",
        "5/13/20, 10:00 - A: log:",
        "2016-04-29 10:30:00",
        "1/2/3 4:5",
        "https://x.test:443/2016/04/29/10:30 - a",
    )
    assert not read(path)[1][0].notes


def test_the_newer_wording_of_an_edited_message_counts(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    write(
        tmp_path / "old",
        "WhatsApp Chat with Zoe.txt",
        "13/5/2024, 09:00 - Zoe: one",
        "13/5/2024, 09:00 - Zoe: to",
        "13/5/2024, 09:00 - Me: to",
        "13/5/2024, 09:01 - Zoe: three",
    )
    write(
        tmp_path / "new",
        "WhatsApp Chat - Zoe.txt",
        "[13/05/2024, 09:00:07] Zoe: one",
        f"[13/05/2024, 09:00:31] Zoe: two {LRM}<This message was edited>",
        "[13/05/2024, 09:00:40] Me: to",
        "[13/05/2024, 09:01:07] Zoe: three",
        "[13/05/2024, 09:02:07] Zoe: four",
    )
    messages, _ = read(tmp_path)
    texts = [(author, content) for _, _, author, content in messages]
    assert texts[:4] == [("Zoe", "one"), ("Zoe", "two"), ("Me", "to"), ("Zoe", "three")]
    assert texts[4:8] == texts[:4]
    with Duplicates(tmp_path) as duplicates:
        numbers = [1] * 4 + [2] * 5
        chat = [Message(datetime.fromisoformat(time), author, text, name) for name, time, author, text in messages]
        once = [one.content for one, number in zip(chat, numbers, strict=True) if not duplicates.contains(one, number)]
    assert once == ["one", "two", "to", "three", "four"]


@pytest.mark.parametrize(
    ("name", "lines", "authors"),
    [
        # The name of the file shows that the colon is part of the name, even in a single message.
        ("WhatsApp Chat with ACME_ Support.txt", ["ACME: Support: hi", "Ralph: price: 12"], ["ACME: Support", "Ralph"]),
        ("chat.txt", ["ACME: Support: hi", "Ralph: ok", "ACME: Support: a: b"], ["ACME: Support", "Ralph"]),
        # Somebody who writes a list is no contact with a colon in the name.
        ("WhatsApp Chat with Ann.txt", ["Ann: note: 1", "Bob: ok", "Ann: note: 2"], ["Ann", "Bob"]),
        ("chat.txt", ["Ann: note: 1", "Bob: ok", "Ann: yes"], ["Ann", "Bob"]),
        ("chat.txt", ["Ann: note: 1", "Bob: ok", "Eve: hi", "Ann: note: 2"], ["Ann", "Bob", "Eve"]),
    ],
)
def test_a_colon_in_a_name(tmp_path: Path, name: str, lines: list[str], authors: list[str]) -> None:
    path = write(tmp_path, name, *(f"5/13/20, 10:0{minute} - {line}" for minute, line in enumerate(lines)))
    assert list(dict.fromkeys(author for _, _, author, _ in read(path)[0])) == authors


def test_exports_of_one_chat_follow_each_other(tmp_path: Path) -> None:
    for folder, day in (("new", 20), ("old", 14)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "WhatsApp Chat with Zoe.txt", f"1/{day}/20, 10:00 - Zoe: {folder}")
    write(tmp_path, "WhatsApp Chat with Zoe (1).txt", "1/17/20, 10:00 - Zoe: copy")
    write(tmp_path, "WhatsApp Chat with Ann.txt", "1/19/20, 10:00 - Ann: other")
    assert [(chat, content) for chat, *_, content in read(tmp_path)[0]] == [
        ("Ann", "other"),
        ("Zoe", "old"),
        ("Zoe", "copy"),
        ("Zoe", "new"),
    ]


# Below: an independent writer. It shares no code and no tables with the parser.


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("{}, 10:0{} - Moss: x", "16 Mar 2024, 10:05 - Moss: y"),
        ("{}, 10:0{} - Moss: x", "March 16, 2024, 9:05 PM - Moss: y"),
        ("[{}, 10:0{}:00] Moss: x", "[Sat, Mar 16, 2024 at 10:05:01 AM] Moss: y"),
        ("[{}, 10:0{}:00] Moss: x", "[16-Mar-24, 10:05:01] Moss: y"),
    ],
)
def test_dates_with_a_months_name_are_counted_where_others_have_numbers(tmp_path: Path, lines: str, named: str) -> None:
    beginning, end = (lines.format("15/03/2024", minute) for minute in (1, 2))
    messages, files = read(write(tmp_path, "WhatsApp Chat with Moss.txt", beginning, named, "May 5, 2024 is fine", end))
    assert [content for *_, content in messages] == [f"x\n{named}\nMay 5, 2024 is fine", "x"]
    assert any(note.startswith("1 line(s) that look like the beginning") for note in files[0].notes)
