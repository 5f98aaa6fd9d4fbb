"""DiscordChatExporter's text: dates and the order of messages."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from discord_writer import RULE, Sent, en_gb, en_us, export, invariant, sv_se, unix
from test_discordchatexporter import START, chat, of, read, typed

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors import ExportFile
from selfchatbot.preprocessors.reading import reverse


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


@pytest.mark.parametrize("count", ["1,234", "1.234", "1 234", "1\u00a0234", "1\u202f234", "1'234", "1’234", "1٬234"])
def test_the_count_is_written_as_in_the_exporters_country(tmp_path: Path, count: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a"), count=count))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a"))
    assert files[0].declared == 1234
    assert files[0].notes == ["the export states 1,234 messages, 1 were found"]
