"""DiscordChatExporter's .json and .csv: the exports in discordchatexporter/kinds, and others that hypothesis writes."""

import csv
import io
import json
import random
import shutil
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, ParametersError, SelfChatBotError
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


HEAD = b'{"guild": {"id": "0"}, "channel": {"id": "1", "type": "DirectTextChat"}, "messages": ['
GOOD = {"id": "1", "type": "Default", "timestamp": "2024-01-01T00:00:00+00:00", "content": "secret"}
GOOD["author"] = {"id": "2", "name": "x"}  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestamp": "2024-13-01T00:00:00+00:00"}, '"timestamp" is no date'),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, '"timestamp" is no date'),
        ({"timestamp": 5}, '"timestamp" is no date'),
        ({"content": ["secret"]}, '"content" is no text'),
        ({"author": None}, '"author" has no name'),
        ({"author": {"id": "2", "name": 5}}, '"author" has no name'),
        ({"id": 5}, "an id is no text"),
        ({"type": "Reply", "reference": {"messageId": 5}}, "an id is no text"),
    ],
)
def test_a_message_of_wrong_types_is_one_line_that_names_it(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a.json"
    records = [GOOD, GOOD, {**GOOD, **change}]
    path.write_bytes(HEAD + ", ".join(map(json.dumps, records)).encode() + b"]}")
    with pytest.raises(ExportError, match=f"message 3: {message}") as error:
        read(tmp_path)
    assert str(error.value).startswith(str(path))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"", "cut short"),
        ("a.json", b'{"a": 1}', "no JSON of DiscordChatExporter"),
        ("a.json", b'{"channel": {"id": 1}}', '"channel" has no id'),
        ("a.json", b'{"channel": "x"}', '"channel" has no id'),
        ("a.json", HEAD + b"3]}", "message 1: it is no object"),
        ("a.json", HEAD + b"[" * 10**5, "nested deeper than 64"),
        ("a.json", HEAD + b'{"id": "\xff"}]}', "not UTF-8"),
        ("a.json", b"\xff\xfe{\0", "UTF-16"),
        ("a.csv", b"", "no CSV of DiscordChatExporter"),
        ("a.csv", b"a,b,c\n", "no CSV of DiscordChatExporter"),
        ("a.csv", COLUMNS.encode() + b'\n"1","r","yesterday","x","",""\n', '"Date" holds no dates'),
        ("a.csv", COLUMNS.encode() + b'\n"1","r","2024-99-01T00:00:00+00:00","x","",""\n', "no date"),
        ("a.csv", COLUMNS.encode() + b'\n"1","r"\n"1","r","5.1.2023 15:04","x","",""\n', "line 2: too few columns"),
        ("a.csv", COLUMNS.encode() + b'\n"1"2,"r","5.1.2023 15:04","x","",""\n', "line 2: no valid CSV"),
        ("a.csv", COLUMNS.encode() + b'\n"1","r","5.1.2023 15:04","' + b"x" * 200_000 + b'","",""\n', "no valid CSV"),
        ("a.csv", COLUMNS.encode() + b'\n"1","r","5.1.2023 15:04","\xff","",""\n', "not UTF-8"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ExportError, match=message) as error:
        read(tmp_path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs"]), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KINDS = ["Default"] * 5 + ["Reply"] * 2 + ["Call", "ChannelPinnedMessage", "20", "46"]


@st.composite
def channels(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What was said in a channel, oldest first."""
    people = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.casefold))
    time = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw(st.integers(0, 10**11)))
    said = []
    for number in range(draw(st.integers(1, 10))):
        time += timedelta(milliseconds=draw(st.integers(1, 10**8)))
        who = draw(st.integers(0, len(people) - 1))
        answered = str(draw(st.integers(0, number)))
        kind, text = draw(st.sampled_from(KINDS)), draw(TEXTS)
        said.append({"id": str(number), "time": time, "who": who, "name": people[who], "kind": kind, "text": text})
        said[-1]["answered"] = answered if kind == "Reply" else None
    return said


def as_json(said: list[dict[str, Any]], hours: int, newest_first: bool) -> str:
    """After JsonMessageWriter.cs, with the offset of the exporter's zone and up to 7 digits of a second."""
    zone = timezone(timedelta(hours=hours))
    records = []
    for one in said[:: -1 if newest_first else 1]:
        author = {
            "id": str(100 + one["who"]),
            "name": one["name"],
            "discriminator": "0000",
            "isBot": False,
            "roles": [],
        }
        record = {"id": one["id"], "type": one["kind"], "timestamp": one["time"].astimezone(zone).isoformat()}
        record |= {"isPinned": False, "content": one["text"], "author": author, "attachments": [], "embeds": []}
        if one["answered"]:
            record["reference"] = {"messageId": one["answered"], "channelId": "1", "guildId": None}
        records.append(json.dumps(record, ensure_ascii=False, indent=2))
    head = '{"guild": {"id": "0"}, "channel": {"id": "1", "type": "DirectTextChat"}, "messages": ['
    return f'{head}{",".join(records)}], "messageCount": {len(records)}}}'


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=channels(), hours=st.integers(-12, 14), newest_first=st.booleans())
def test_json_that_is_written_comes_back(
    tmp_path: Path, said: list[dict[str, Any]], hours: int, newest_first: bool
) -> None:
    (tmp_path / "a.json").write_text(as_json(said, hours, newest_first), encoding="utf-8", newline="")
    messages, files = read(tmp_path)
    assert messages == [
        ["a", one["time"].replace(tzinfo=None).isoformat(), one["name"], one["text"], one["id"], one["answered"]]
        for one in said
        if one["kind"] in ("Default", "Reply") and one["text"].strip()
    ]
    assert files[0].declared == files[0].messages == len(said)
    assert not files[0].notes


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=channels(), newest_first=st.booleans(), ends=st.sampled_from(["\n", "\r\n"]))
def test_csv_that_is_written_comes_back(
    tmp_path: Path, said: list[dict[str, Any]], newest_first: bool, ends: str
) -> None:
    # Discord itself makes line feeds of carriage returns, and of a NUL nothing.
    for one in said:
        one["text"] = one["text"].replace("\r", "").replace("\0", "")
    written = io.StringIO()
    table = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator=ends)
    for one in said[:: -1 if newest_first else 1]:
        table.writerow([100 + one["who"], one["name"], one["time"].isoformat(), one["text"], "https://a.b/c.png", ""])
    (tmp_path / "a.csv").write_text(f"{COLUMNS}{ends}{written.getvalue()}", encoding="utf-8", newline="")
    assert read(tmp_path)[0] == [
        ["a", one["time"].replace(tzinfo=None).isoformat(), one["name"], one["text"], None, None]
        for one in said
        if one["text"].strip()
    ]


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    source=st.sampled_from(sorted([*EXPORTS.glob("*/*.json"), *EXPORTS.glob("*/*.csv")])), seed=st.integers(0, 2**32)
)
def test_a_damaged_file_is_never_a_traceback(tmp_path: Path, source: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(source.read_bytes())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        piece = chance.choice([b"", b"null", b"[]", b"1e400", b'"', b",", b"\n", b"\\", b"\xff", b"\0", content[:50]])
        content[start : start + chance.randint(0, 20)] = piece
    path = tmp_path / f"a{source.suffix}"
    path.write_bytes(content)
    try:
        read(path)
    except SelfChatBotError as error:
        assert "\n" not in str(error)
    finally:
        path.unlink()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    record = json.dumps({**GOOD, "content": "word " * 200, "roles": [{"id": "1", "name": "x"}] * 5})
    with (tmp_path / "a.json").open("wb") as file:
        file.write(HEAD + record.encode())
        for _ in range(10_000):
            file.write(b",\n" + record.encode())
        file.write(b"]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in DiscordChatExporter().read(tmp_path)) == 10_001
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # the file has 13 MiB
    finally:
        tracemalloc.stop()
