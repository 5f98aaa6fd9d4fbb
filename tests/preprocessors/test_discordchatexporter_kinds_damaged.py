"""DiscordChatExporter's JSON and CSV: what is damaged or wrong."""

import csv
import io
import json
import random
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_discordchatexporter_kinds import COLUMNS, EXPORTS, read

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors.discordchatexporter import DiscordChatExporter

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
