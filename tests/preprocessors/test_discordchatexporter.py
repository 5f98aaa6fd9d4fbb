"""DiscordChatExporter plain text of every version, country and state of damage."""

import json
import random
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from discord_writer import RULE, Sent, en_gb, en_us, export, invariant, sv_se, unix
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, ParametersError, SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.reading import reverse

FILES = sorted((Path(__file__).parent / "discordchatexporter" / "txt").glob("*.txt"))
START = datetime(2024, 1, 10, 20, 0)
Typed = list[tuple[datetime, str, str]]


def read(path: Path, files: list[ExportFile] | None = None, **parameters: object) -> Iterator[Message]:
    return Preprocessors["DiscordChatExporter"](username="rowan", **parameters).read(path, files)


def typed(path: Path, files: list[ExportFile] | None = None, **parameters: object) -> Typed:
    return [(message.timestamp, message.author, message.content) for message in read(path, files, **parameters)]


def chat(*contents: str, start: datetime = START, step: timedelta = timedelta(minutes=5)) -> list[Sent]:
    """Two people taking turns."""
    return [Sent(start + number * step, ("rowan", "moss")[number % 2], text) for number, text in enumerate(contents)]


def of(messages: list[Sent]) -> Typed:
    return [(message.time, message.author, message.content) for message in messages if message.content]


# -- every layout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_layout(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    files: list[ExportFile] = []
    messages = [
        {"timestamp": message.timestamp.isoformat(), "author": message.author, "content": message.content}
        for message in read(path, files)
    ]
    assert messages == expected["typed"]
    assert [(file.messages, file.declared, file.notes) for file in files] == [
        (expected["messages"], expected["declared"], expected["notes"])
    ]


def test_the_fixtures_are_as_the_exporter_wrote_them() -> None:
    # A checkout that changes line ends would test something else.
    assert b"\r\n\r\n" in next(path for path in FILES if "windows" in path.name).read_bytes()
    assert len(FILES) >= 18


@pytest.mark.parametrize("version", ["2.47", "2.40", "2.36", "2.19", "2.15", "2.13"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_of_the_exporter_and_of_the_author_differ(tmp_path: Path, version: str, newline: str) -> None:
    messages = chat("one\ntwo\n\nthree", "four", "five\n\n\n\nsix" if version in ("2.47", "2.40", "2.36") else "five")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version, newline=newline, bom=True))
    assert typed(path) == of(messages)


@pytest.mark.parametrize("topic", ["one line", "two\nlines", f"a\n\n[2024-01-09 10:00] is no header\n\n{RULE[:-1]}\nb"])
def test_topic(tmp_path: Path, topic: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("one", "two"), topic=topic))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("one", "two"))
    assert files[0].notes == []


# -- authors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "author",
    [
        *("rowan", "rowan#1234", "rowan#0000", "Deleted User", "Deleted User#0000", "deleted_user_0a1b2c"),
        *("Carl-bot#1536", "bob] [x] (y)", "a b  c", "(pinned)", "ᴿᴼᵂᴬᴺ 🧗", "امير", "[2024-01-10 20:00] me"),
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
def test_author(tmp_path: Path, author: str, pinned: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export([Sent(START, author, "hi", pinned=pinned), Sent(START, "moss", "hello")]))
    assert typed(path) == [(START, author, "hi"), (START, "moss", "hello")]


def test_author_before_the_date(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("bob [x] (y)#0001  [03-Jan-18 10:00 AM]\nhi\n\nmoss#0002  [03-Jan-18 10:01 AM]\nho\n\n")
    assert [author for _, author, _ in typed(path)] == ["bob [x] (y)#0001", "moss#0002"]


# -- what is typed and what is not ------------------------------------------------------------------------------------

EVERYTHING = Sent(
    START,
    "moss",
    "",
    forwarded="words of\n\nsomebody else",
    attachments=["https://cdn.discordapp.com/attachments/1/2/a.png", r"trips.txt_Files\IMG 1-0A1B2.jpg"],
    embeds=[["https://example.org", "A title", "text\n\nmore text", "{name}"], ["only a title"]],
    stickers=["https://discord.com/stickers/1.json"],
    reactions=["👍 (2)", "KEKW (12)", "❤️"],
)


@pytest.mark.parametrize("version", ["2.47", "2.40", "2.36", "2.19", "2.15"])
@pytest.mark.parametrize("content", ["", "hello", "hello\n\nthere", "{Embed} and {Reactions} are words", "}{ {{x}}"])
def test_sections_are_not_typed(tmp_path: Path, version: str, content: str) -> None:
    sections = ("forwarded", "attachments", "embeds", "stickers", "reactions")
    messages = [Sent(START, "rowan", "before")]
    for kept in range(2 ** len(sections)):
        some = {name: getattr(EVERYTHING, name) for bit, name in enumerate(sections) if kept & 2**bit}
        if some.get("forwarded") and content == "" and version != "2.47":
            continue
        messages.append(Sent(START, "moss", content, **some))
    messages.append(Sent(START, "rowan", "after"))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == []


@pytest.mark.parametrize(
    "content",
    [
        "{Attachments}",
        "look:\n\n{Attachments}\nand that was it",
        "look:\n\n{Attachments}\n\nhttps://example.org/a.png",
        "look:\n\n{Attachments}\nhttps://example.org/a.png\n\nbelow",
        "look:\n{Attachments}\nhttps://example.org/a.png",
        "{Stickers}\nare fun",
        "look:\n\n{Embed}",
        "look:\n\n{Embed}\n\nis what it writes",
        "{Reactions}\nwhat do these words mean?",
        "look:\n\n{Reactions}\nLOL",
        "{Forwarded Message}\nsaid nobody",
        "{Forwarded Message}\nOriginally sent: never",
        "so\n\n{Forwarded Message}\nOriginally sent: 2024-01-10 20:00 by me",
        "Exported 5 message(s)",
        f"{RULE}\nExported 5 message(s)\n{RULE}",
        f"as in\n\n{RULE}\n\nor so",
        "Guild: x",
    ],
)
def test_words_of_the_exporter_in_the_text(tmp_path: Path, content: str) -> None:
    messages = chat("one", content, "three", content)
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert (files[0].messages, files[0].declared, files[0].notes) == (4, 4, [])


def test_real_sections_below_such_words(tmp_path: Path) -> None:
    text = "look:\n\n{Embed}\nis what it writes"
    messages = [Sent(START, "rowan", text, attachments=["https://cdn.discordapp.com/a"]), Sent(START, "moss", "ok")]
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    assert typed(path) == of(messages)


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "Added Bob the Builder to the group.",
            "Added a recipient.",
            "Left the group.",
            "Removed Bob from the group.",
        ),
        *("Removed a recipient.", "Started a call.", "Started a call that lasted 0 minutes.", "Pinned a message."),
        *("Started a call that lasted 1,024 minutes.", "Changed the channel name.", "Changed the channel icon."),
        *("Changed the channel name: the new one", "Started a thread.", "Joined the server."),
    ],
)
def test_system_messages_are_not_typed(tmp_path: Path, sentence: str) -> None:
    messages = chat("one", sentence, f"haha {sentence}", f"{sentence[:-1]}\n:)")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert [content for _, _, content in typed(path, files)] == ["one", f"haha {sentence}", f"{sentence[:-1]}\n:)"]
    assert files[0].messages == 4


# -- day and month ----------------------------------------------------------------------------------------------------


def write_dates(path: Path, *dates: str) -> None:
    body = "".join(f"[{date}] moss\nhi\n\n\n" for date in dates)
    path.write_text(f"{RULE}\nGuild: g\nChannel: c\n{RULE}\n\n{body}{RULE}\nExported {len(dates)} message(s)\n{RULE}\n")


def months(path: Path, **parameters: object) -> list[int]:
    return [time.month for time, _, _ in typed(path, **parameters)]


def test_the_file_shows_the_order(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "05/01/2023 15:04", "13/01/2023 15:04")
    assert months(tmp_path / "a.txt") == [1, 1]
    write_dates(tmp_path / "a.txt", "01/05/2023 15:04", "01/13/2023 15:04")
    assert months(tmp_path / "a.txt") == [1, 1]


def test_the_folder_shows_the_order(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "05/01/2023 15:04")
    write_dates(tmp_path / "b.txt", "13/01/2023 15:04")
    assert months(tmp_path) == [1, 1]
    # A file that is asked for alone is seen beside its neighbours, even where one of them is damaged.
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    assert months(tmp_path / "a.txt") == [1]


def test_the_country_shows_the_order(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "1/5/2023 3:04 PM")
    assert months(tmp_path) == [1]
    write_dates(tmp_path / "a.txt", "05.01.2023 15:04")
    assert months(tmp_path) == [1]


def test_nothing_shows_the_order(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "05/01/2023 15:04", "05/01/2023 15:05")
    with pytest.raises(ParametersError) as error:
        typed(tmp_path)
    assert "a.txt" in str(error.value)
    assert "preprocessor_data.DiscordChatExporter.date_order" in str(error.value)
    assert "05/01/2023 15:04" in str(error.value)
    assert months(tmp_path, date_order="dmy") == [1, 1]
    assert months(tmp_path, date_order="mdy") == [5, 5]


def test_neighbours_that_contradict_each_other_show_nothing(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "05/01/2023 15:04")
    write_dates(tmp_path / "b.txt", "13/01/2023 15:04")
    write_dates(tmp_path / "c.txt", "01/13/2023 15:04")
    with pytest.raises(ParametersError, match=r"a\.txt.*date_order"):
        typed(tmp_path)


def test_the_key_is_not_for_files_that_show_the_order(tmp_path: Path) -> None:
    write_dates(tmp_path / "a.txt", "05/01/2023 15:04", "13/01/2023 15:04")
    write_dates(tmp_path / "b.txt", "2023-01-05 15:04")
    assert months(tmp_path, date_order="mdy") == [1, 1, 1]


@pytest.mark.parametrize("date", [en_us, en_gb, sv_se, invariant, unix])
def test_a_year_of_messages_in_each_country(tmp_path: Path, date: object) -> None:
    messages = chat(*map(str, range(200)), start=datetime(2023, 1, 1, 0, 30), step=timedelta(hours=43, minutes=7))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, date=date))  # type: ignore[arg-type]
    assert typed(path) == of(messages)


# -- order of messages and files --------------------------------------------------------------------------------------


def test_order_within_a_minute_and_over_the_autumn_hour_is_that_of_the_file(tmp_path: Path) -> None:
    messages = chat(*"abcdefgh", step=timedelta(0)) + chat("i", "j", start=START - timedelta(minutes=59))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    assert typed(path) == of(messages)


@pytest.mark.parametrize("block", [1, 7, 50_000])
@pytest.mark.parametrize("end", [True, False])
def test_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, end: bool) -> None:
    monkeypatch.setattr(reverse, "BLOCK_ROWS", block)
    messages = chat(*(f"{number}\n\n{number}" for number in range(30)), step=timedelta(hours=7))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages[::-1], end=end))
    assert typed(path) == of(messages)


def test_newest_first_within_minutes(tmp_path: Path) -> None:
    messages = chat("a", "b", "c", step=timedelta(minutes=1))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages[::-1]))
    assert typed(path) == of(messages)


def test_partitions(tmp_path: Path) -> None:
    messages = chat(*map(str, range(120)), step=timedelta(hours=5))
    for part in range(12):
        name = "Guild - chan [123456789]" + (f" [part {part + 1}]" if part else "")
        (tmp_path / f"{name}.txt").write_bytes(export(messages[10 * part : 10 * part + 10]))
    (tmp_path / "Guild - other [123456780].txt").write_bytes(export(chat("x")))
    files: list[ExportFile] = []
    found = list(read(tmp_path, files))
    assert [message.content for message in found] == [*map(str, range(120)), "x"]
    assert len({message.chat for message in found}) == 2
    assert [file.path.name for file in files][9] == "Guild - chan [123456789] [part 10].txt"


def test_partitions_of_one_minute_come_by_number(tmp_path: Path) -> None:
    for part in range(11):
        name = "chan" + (f" [part {part + 1}]" if part else "")
        (tmp_path / f"{name}.txt").write_bytes(export([Sent(START, "moss", str(part))]))
    assert [content for _, _, content in typed(tmp_path)] == [str(part) for part in range(11)]


def test_partitions_newest_first(tmp_path: Path) -> None:
    messages = chat(*map(str, range(30)), step=timedelta(hours=5))[::-1]
    for part in range(3):
        name = "chan" + (f" [part {part + 1}]" if part else "")
        (tmp_path / f"{name}.txt").write_bytes(export(messages[10 * part : 10 * part + 10]))
    assert [content for _, _, content in typed(tmp_path)] == [str(number) for number in range(30)]


def test_partitions_up_to_2_15(tmp_path: Path) -> None:
    messages = chat(*map(str, range(30)), step=timedelta(0))
    for part in range(3):
        (tmp_path / f"chan [{part + 1} of 3].txt").write_bytes(export(messages[10 * part : 10 * part + 10], "2.15"))
    found = list(read(tmp_path))
    assert [message.content for message in found] == [str(number) for number in range(30)]
    assert {message.chat for message in found} == {"chan"}


# -- frames and damage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", ["1,234", "1.234", "1 234", "1\u00a0234", "1\u202f234", "1'234", "1’234", "1٬234"])
def test_the_count_is_written_as_in_the_exporters_country(tmp_path: Path, count: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a"), count=count))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a"))
    assert files[0].declared == 1234
    assert files[0].notes == ["the export states 1,234 messages, 1 were found"]


def test_no_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a", "b"), end=False))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b"))
    assert files[0].notes == ["no last line with the count: the export was cut short"]


@pytest.mark.parametrize("version", ["2.47", "2.36", "2.19"])
def test_cut_off_anywhere(tmp_path: Path, version: str) -> None:
    messages = [
        Sent(START, "rowan", "first\n\nof äöü 🧗 all"),
        Sent(START, "moss", "second", attachments=["https://cdn.discordapp.com/a/b.png"], reactions=["👍 (2)", "wave"]),
        Sent(START, "rowan", "third", embeds=[["https://example.org", "text\n\nmore"]], stickers=["https://d.com/1"]),
        Sent(START, "moss", "fourth", forwarded="{what}\n\never", pinned=True),
        Sent(START, "rowan", "last"),
    ]
    whole, expected = export(messages, version), of(messages)
    path = tmp_path / "a.txt"
    for length in range(whole.index(b"\n\n[") + 2, len(whole)):
        path.write_bytes(whole[:length])
        try:
            found = typed(path)
        except ExportError:
            assert length < whole.index(b"] rowan") + 3, length  # there is no message yet
            continue
        assert found[:-1] == expected[: len(found)][:-1], length
        for (time, author, content), (true_time, true_author, true_content) in zip(found, expected, strict=False):
            assert (time, author) == (true_time, true_author), length
            assert true_content.startswith(content), length


def test_pieces_without_head_and_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    whole = export(chat("a", "b", "c")).decode()
    path.write_text(whole[whole.index("[") : whole.rindex(RULE, 0, -70)])
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b", "c"))
    assert files[0].notes == []


def test_an_export_behind_other_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"my old chats\n\nwith notes [sic]\n\n" + export(chat("a", "b")))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b"))
    assert files[0].notes == []


@pytest.mark.parametrize("between", [b"", b"\n", b"\n\n\n"])
def test_exports_one_behind_the_other(tmp_path: Path, between: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(between.join([export(chat("a", "b")), export(chat("c", "d")), export(chat("e"))]))
    files: list[ExportFile] = []
    assert [content for _, _, content in typed(path, files)] == list("abcde")
    assert (files[0].declared, files[0].notes) == (5, [])


def test_exports_without_counts_one_behind_the_other_are_no_pasted_logs(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    pieces = [chat(*"abcdef", step=timedelta(days=3)), chat(*"ghijkl", step=timedelta(days=5))]
    path.write_bytes(b"".join(export(piece, end=False) for piece in pieces))
    assert typed(path) == of(pieces[0]) + of(pieces[1])


@pytest.mark.parametrize("end", [True, False])
def test_a_damaged_head_does_not_hide_the_messages(tmp_path: Path, end: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a", "b"), end=end).replace(f"\n{RULE}\n\n[".encode(), b"\n\n[", 1))
    with pytest.raises(ExportError, match=r'a\.txt: the line of 62 "="'):
        typed(path)


def test_a_torn_head_is_an_unfinished_export(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{RULE}\nGuild: g\nChan")
    files: list[ExportFile] = []
    assert typed(path, files) == []
    assert files[0].notes == ["no last line with the count: the export was cut short"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"dear diary\n\nnothing here", "no plain text of DiscordChatExporter (there is no message in it)"),
        (
            b"[05.01.23, 15:04:05] moss: my diary\n[05.01.23, 15:04:06] moss: hi\n[05.01.23, 15:04:07] a: b",
            "blank lines",
        ),
        ("[1/5/2023 3:04 PM] moss\nhi".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04\0\0\0", "NUL"),
        (b"[1/5/2023 3:04 PM] moss\nhi\nth\xe9 end\n", "line 3: byte 3 is not UTF-8"),
    ],
    ids=range(8),
)
def test_no_export(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ExportError) as error:
        typed(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "diary" not in str(error.value)


# -- pasted logs ------------------------------------------------------------------------------------------------------


def log(*lines: tuple[datetime, str, str], gap: int = 2) -> str:
    return "".join(f"[{sv_se(time)}] {author}\n{text}\n" + "\n" * gap for time, author, text in lines).strip()


LONG_AGO = START - timedelta(days=300)
OLD_LOG = "look at this\n\n\n" + log((LONG_AGO, "kai", "so"), (LONG_AGO + timedelta(minutes=2), "moss", "what?"))


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_log_of_other_days_is_text(tmp_path: Path, end: bool, newest_first: bool) -> None:
    messages = chat("a", "b", OLD_LOG, "d", "e", step=timedelta(hours=3))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages[::-1] if newest_first else messages, end=end))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].messages == 5
    assert files[0].notes[0] == "2 message header(s) inside other messages read as pasted text"


def test_a_log_at_the_end_is_text_when_the_count_says_so(tmp_path: Path) -> None:
    messages = chat("a", "b", OLD_LOG)
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    assert typed(path) == of(messages)


@pytest.mark.parametrize(
    "lines",
    [
        [(START - timedelta(hours=5), "moss", "some hours ago"), (START - timedelta(hours=5), "rowan", "yes")],
        [(START - timedelta(minutes=3), "moss", "some minutes ago")],
        [(START + timedelta(minutes=7), "kai", "an author that nobody saw")],
    ],
)
def test_smaller_jumps_and_unseen_authors_are_text_when_the_count_says_so(
    tmp_path: Path, lines: list[tuple[datetime, str, str]]
) -> None:
    messages = chat("a", f"look\n\n\n{log(*lines)}", "c", "d", "e")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == [f"{len(lines)} message header(s) inside other messages read as pasted text"]


def test_a_log_with_one_blank_line_is_text_where_two_stand_between_messages(tmp_path: Path) -> None:
    messages = chat("a", "look\n\n" + log(*((START, "moss", str(n)) for n in range(20)), gap=1), "c")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == []


def test_a_log_with_another_form_of_date_is_text(tmp_path: Path) -> None:
    messages = chat("a", "look\n\n\n[1/5/2023 3:04 PM] moss\nhello\n\n\n[1/5/2023 3:05 PM] kai\nhi", "c", "d", "e")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, end=False))
    assert typed(path) == of(messages)


def test_what_only_the_author_can_tell_is_reported(tmp_path: Path) -> None:
    messages = chat("a", f"look\n\n\n{log((START + timedelta(minutes=6), 'moss', 'plausible'))}", "c", "d")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert len(typed(path, files)) == 5
    assert files[0].notes == ["the export states 4 messages, 5 were found"]


def test_people_who_write_once_are_no_pasted_logs(tmp_path: Path) -> None:
    messages = [Sent(START + timedelta(days=n), f"member {n}", "hi all") for n in range(9)]
    path = tmp_path / "a.txt"
    for count in ("8", "9", "10"):
        path.write_bytes(export(messages, count=count))
        assert typed(path) == of(messages)


# -- properties -------------------------------------------------------------------------------------------------------

NASTY = st.sampled_from(
    [
        *(
            "",
            "",
            "{Embed} ",
            " {Attachments}",
            "{Stickers}.",
            "[2024-01-10 20:00]",
            "[2024-01-10 20:00]moss",
            RULE[1:],
        ),
        *("[x] moss", "https://example.org/{a}?b=[c]", "(pinned)", "Exported 5 message(s)", "Guild: x", "\u2028[1] a"),
        *("*{Reactions}*", "Originally sent: 2024-01-10 20:00", "\u0085", "\x0c", "[", "]", "{}", "👍 (2)", "\ufeff"),
    ]
)
# NUL and the halves of surrogate pairs can't be sent; Discord turns CRLF into LF.
LINE = NASTY | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=30)
TEXT = st.lists(LINE, min_size=1, max_size=6).map("\n".join).map(str.strip)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=2, max_size=32)
URL = st.from_regex(r"https://cdn\.discordapp\.com/[a-z0-9]{1,9}", fullmatch=True)
REACTION = st.from_regex(r"(?:👍|❤️|🧗|[A-Za-z0-9_]{2,12})(?: \([1-9][0-9]?\))?", fullmatch=True)


@st.composite
def sent(draw: st.DrawFn) -> list[Sent]:
    time, messages = START, []
    names = draw(st.lists(NAME, min_size=1, max_size=4))
    for _ in range(draw(st.integers(1, 12))):
        time += timedelta(minutes=draw(st.sampled_from([0, 1, 59, 1500, 44_000])))
        messages.append(
            Sent(
                time,
                draw(st.sampled_from(names)),
                draw(TEXT),
                pinned=draw(st.booleans()),
                attachments=draw(st.lists(URL, max_size=2)),
                embeds=draw(st.lists(st.lists(URL | NAME, min_size=1, max_size=3), max_size=2)),
                reactions=draw(st.lists(REACTION, max_size=3)),
            )
        )
    return messages


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    messages=sent(),
    version=st.sampled_from(["2.47", "2.40", "2.36"]),
    date=st.sampled_from([sv_se, en_us, invariant, unix]),
    newline=st.sampled_from(["\n", "\r\n"]),
    topic=TEXT,
    end=st.booleans(),
)
def test_what_was_written_comes_back(
    tmp_path: Path, messages: list[Sent], version: str, date: object, newline: str, topic: str, end: bool
) -> None:
    assume(not any(name.endswith("(pinned)") for name in (message.author for message in messages)))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version, date, newline=newline, topic=topic, end=end))  # type: ignore[arg-type]
    files: list[ExportFile] = []
    assert typed(path, files, date_order="mdy") == of(messages)
    assert files[0].messages == len(messages)
    assert len(files[0].notes) == (not end)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(path=st.sampled_from(FILES), seed=st.integers(0, 2**32))
def test_damage_is_read_or_said(tmp_path: Path, path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 12)):
        start = chance.randrange(len(data) + 1)
        piece = data[start : start + chance.randint(1, 80)]
        action = chance.randrange(5)
        if action == 0:
            data[start : start + 1] = chance.randbytes(1)
        elif action == 1:
            del data[start : start + len(piece)]
        elif action == 2:
            data[start:start] = piece * chance.choice([1, 2, 100])
        elif action == 3:
            data[start:start] = chance.choice([b"\n", b"\r\n", RULE.encode(), b"{Embed}\n", b"9" * 5000, "٣".encode()])
        else:
            del data[start:]
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(data)
    try:
        for message in read(damaged, date_order="mdy"):
            assert message.content
    except SelfChatBotError as error:
        assert "\n" not in str(error)


# -- memory -----------------------------------------------------------------------------------------------------------


def peak(path: Path) -> int:
    """Bytes allocated at once while a file is read."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path)) > 10_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("end", "few", "many"), [(True, 20_000, 50_000), (False, 20_000, 40_000)])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, end: bool, few: int, many: int) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    for path, count in ((small, few), (large, many)):
        messages = chat(*(f"{number} " + 12 * "and so on " for number in range(count)), step=timedelta(minutes=7))
        path.write_bytes(export(messages, date=en_us, end=end))
    typed(small)  # what is loaded and cached once doesn't count
    assert peak(large) < 1.1 * peak(small) + 2**19
