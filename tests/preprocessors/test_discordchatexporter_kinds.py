"""DiscordChatExporter's .json and .csv: the exports in discordchatexporter/kinds, and others that hypothesis writes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from selfchatbot.errors import ExportError, ParametersError
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.discordchatexporter import DiscordChatExporter
from selfchatbot.preprocessors.reading import reverse

EXPORTS = Path(__file__).parent / "discordchatexporter" / "kinds"
DM = "Direct Messages - Kai ✨ [900000000000000001]"
COLUMNS = "AuthorID,Author,Date,Content,Attachments,Reactions"

Seen = list[str | None]


def read(path: Path, **options: Any) -> tuple[list[Seen], list[ExportFile]]:
    files: list[ExportFile] = []
    messages = DiscordChatExporter(**options).read(path, files)
    return [
        [one.chat, one.timestamp.isoformat(), one.author, one.content, one.id, one.reply_to] for one in messages
    ], files


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    expected = json.loads((EXPORTS / f"{case}.json").read_text(encoding="utf-8"))
    messages, files = read(EXPORTS / case)
    assert messages == expected["messages"]
    assert [[one.path.name, one.messages, one.declared, one.group, one.notes] for one in files] == expected["files"]


def test_it_recognises_its_own() -> None:
    for path in (*EXPORTS.glob("*/*.json"), *EXPORTS.glob("*/*.csv")):
        assert DiscordChatExporter.recognises(path, path.read_bytes()[:65536]), path
    assert DiscordChatExporter.recognises(Path("a.txt"), b"=" * 62 + b"\r\nGuild: Direct Messages\r\n")
    assert not DiscordChatExporter.recognises(Path("a.json"), b'{"name": "Ann", "type": "personal_chat"}')


TEXT = f"""{"=" * 62}
Guild: Direct Messages
Channel: Private / Kai
{"=" * 62}

[15-Jan-24 11:59 PM] rowan
as text


{"=" * 62}
Exported 1 message(s)
{"=" * 62}
"""


@pytest.mark.parametrize("inside", ["{}", "elsewhere/{}", "renamed"])
def test_a_channel_in_several_kinds_counts_once(tmp_path: Path, inside: str) -> None:
    shutil.copy(EXPORTS / "dm" / f"{DM}.json", tmp_path / f"{DM}.json")
    table = tmp_path / (f"{inside}.csv" if inside == "renamed" else inside.format(f"{DM}.csv"))
    table.parent.mkdir(exist_ok=True)
    table.write_text(f'{COLUMNS}\n"1","rowan","2024-01-15T23:59:58+01:00","as a table","",""\n', encoding="utf-8")
    (table.parent / f"{table.stem}.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "other.txt").write_text(TEXT, encoding="utf-8")
    if inside == "renamed":
        (tmp_path / f"{DM}.json").rename(tmp_path / "renamed.json")
    messages, files = read(tmp_path)
    assert [message[3] for message in messages if message[0] != "other"] == [
        message[3] for message in read(EXPORTS / "dm")[0]
    ]
    assert sorted(len(file.notes) for file in files) == [0, 2]
    notes = next(file.notes for file in files if file.notes)
    assert all("left out" in note for note in notes)
    assert {note.split(" is ")[0] for note in notes} == {table.name, f"{table.stem}.txt"}


def test_a_table_is_preferred_to_text_and_other_spans_stay(tmp_path: Path) -> None:
    name = "Camp - general [900000000000000009]"
    row = f'{COLUMNS}\n"1","rowan","2024-01-15T23:59:58+01:00","as a table","",""\n'
    (tmp_path / f"{name} (after 2024-01-01).csv").write_text(row, encoding="utf-8")
    (tmp_path / f"{name} (after 2024-01-01).txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / f"{name} (before 2024-01-01).txt").write_text(TEXT.replace("24 11", "23 11"), encoding="utf-8")
    messages, _ = read(tmp_path)
    assert [(message[0], message[3]) for message in messages] == [(name, "as text"), (name, "as a table")]


def test_the_kind_with_more_messages_is_read(tmp_path: Path) -> None:
    name = "Camp - general [900000000000000009]"
    row = f'{COLUMNS}\n"1","rowan","2024-01-15T23:59:58+01:00","old","",""\n'
    (tmp_path / f"{name}.csv").write_text(row, encoding="utf-8")
    message = TEXT[TEXT.index("[") : TEXT.index("as text")] + "as text\n\n\n"
    (tmp_path / f"{name}.txt").write_text(TEXT.replace(message, message * 3), encoding="utf-8")
    messages, files = read(tmp_path)
    assert [one[3] for one in messages] == ["as text"] * 3
    assert f"{name}.csv is the same in another kind: left out" in files[0].notes


@pytest.mark.parametrize("end", [0.3, 0.6, 0.9, 0.995])
def test_a_killed_json_export_gives_what_is_there(tmp_path: Path, end: float) -> None:
    content = (EXPORTS / "dm" / f"{DM}.json").read_bytes()
    (tmp_path / f"{DM}.json").write_bytes(content[: int(len(content) * end)])
    messages, files = read(tmp_path)
    assert messages == read(EXPORTS / "dm")[0][: len(messages)]
    assert ["cut short" in note for note in files[0].notes] == [True]


@pytest.mark.parametrize(("cut", "noted"), [(1, False), (4, False), (9, True), (30, True), (50, True)])
def test_a_killed_csv_export_gives_what_is_there(tmp_path: Path, cut: int, noted: bool) -> None:
    content = (EXPORTS / "csv-de" / "Direct Messages - kai [900000000000000003].csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(content[:-cut])
    messages, files = read(tmp_path, date_order="dmy")
    assert [message[3] for message in messages] == ["grüß dich; na?", "😀"][: 1 if noted else 2]
    assert ["cut short" in note for note in files[0].notes] == [True] * noted


def test_a_wrong_count_is_noted(tmp_path: Path) -> None:
    export = json.loads((EXPORTS / "dm" / f"{DM}.json").read_text(encoding="utf-8"))
    (tmp_path / "a.json").write_text(json.dumps({**export, "messageCount": 9}), encoding="utf-8")
    assert read(tmp_path)[1][0].notes == ["the export states 9 messages, 8 were found"]


def test_dates_of_a_table_that_can_be_read_either_way_ask_for_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'{COLUMNS}\n"1","rowan","01/02/2023 15:04","x","",""\n', encoding="utf-8")
    with pytest.raises(ParametersError, match="date_order"):
        read(tmp_path)
    assert read(tmp_path, date_order="mdy")[0][0][1] == "2023-01-02T15:04:00"


def test_newest_first_is_turned_round_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "BLOCK_ROWS", 7)
    rows = [f'"1","rowan","2023-01-01T00:{minute:02}:00+00:00","{minute}","",""' for minute in range(59, -1, -1)]
    (tmp_path / "a.csv").write_text("\n".join([COLUMNS, *rows]), encoding="utf-8")
    assert [message[3] for message in read(tmp_path)[0]] == [str(minute) for minute in range(60)]


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_two_at_the_beginning_do_not_tell_the_direction(tmp_path: Path, kind: str, newest_first: bool) -> None:
    minutes = [0, 0, *range(1, 20)] if newest_first else [1, 0, *range(2, 20)]
    texts = [str(number) for number in range(len(minutes))]
    said = list(zip(minutes, texts, strict=True))[:: -1 if newest_first else 1]
    times = [(f"2023-01-01T00:{minute:02}:00+00:00", text) for minute, text in said]
    if kind == "json":
        author = {"id": "1", "name": "rowan"}
        messages = [
            {"id": text, "type": "Default", "timestamp": time, "content": text, "author": author}
            for time, text in times
        ]
        written = json.dumps({"guild": {"id": "0"}, "channel": {"id": "1"}, "messages": messages, "messageCount": 21})
    else:
        written = "\n".join([COLUMNS, *(f'"1","rowan","{time}","{text}","",""' for time, text in times)])
    (tmp_path / f"a.{kind}").write_text(written, encoding="utf-8")
    assert [message[3] for message in read(tmp_path)[0]] == texts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("messages.json", b'[{"ID": 1, "Timestamp": "2023-01-01 00:00:00", "Contents": "x", "Attachments": ""}]'),
        ("messages.csv", b"ID,Timestamp,Contents,Attachments\n1,2023-01-01,x,\n"),
    ],
)
def test_discords_own_data_package_gets_a_hint(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match="Discord's own data package"):
        read(tmp_path)
