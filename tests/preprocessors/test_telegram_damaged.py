"""Telegram: what is damaged, wrong or large."""

import json
import random
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_telegram import CHAT, EXPORTS, Seen, read

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors.telegram import Telegram


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "2023-13-01T00:00:00"}, "id 101: .*date"),
        ({"date": 5, "date_unixtime": "9" * 30}, "id 101: .*date"),
        ({"date": None, "date_unixtime": None}, "id 101: .*date"),
        ({"text": 7}, "id 101: .*text"),
        ({"text": [{"type": "bold"}]}, "id 101: .*text"),
        ({"text": ["a", ["b"]]}, "id 101: .*text"),
        ({"from": ["x"]}, "id 101: .*from"),
        ({"from_id": {}}, "id 101: .*from"),
        ({"id": "x", "text": None}, "message 2 of a chat: .*text"),
    ],
)
def test_a_message_of_wrong_types_is_one_line_that_names_it(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    export = json.loads(CHAT.read_bytes().replace(rb"\x0B", b""))
    export["messages"][1].update(change)
    (tmp_path / "result.json").write_text(json.dumps(export), encoding="utf-8")
    with pytest.raises(ExportError, match=f"result.json, message {message.removeprefix('message ')}") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
    assert "привет" not in str(error.value)


DEEP = '{"messages": [' + '{"a": [' * 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"[1, 2]", "no chat of a Telegram export"),
        (b'"text"', "no chat of a Telegram export"),
        (b'{"chats": {"list": []}}', "no chat of a Telegram export"),
        (b'{"chats": []}', '"chats" is not an object'),
        (b'{"messages": {}}', '"messages" is not a list'),
        (b'{"messages": [3]}', "message 1 of a chat: it is no object"),
        (b'{"name": 3, "messages": []}', "name or type"),
        (b'{"messages": []} {"messages": []}', "no valid JSON"),
        (b'{"messages": [{"id": 1' + b"0" * 5000 + b"}]}", "a number out of range"),
        (b'{"messages": [{"id": 1e999}]}', "a number out of range"),
        (b'{"messages": [{"text": "\xff"}]}', "not UTF-8"),
        (b'{"messages": [{"text": "\\udc00"}]}', "not UTF-8"),
        (b'{"messages": [{"text": "a\0"}]}', "no valid JSON"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (DEEP.encode(), "nested deeper than 64"),
        (b'{"name": ' + b"[" * 100_000, "nested deeper than 64"),
        (b'{"unknown": ' + b"[" * 100_000, "cut short"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=message) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("end", [0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_killed_export_gives_what_is_there(tmp_path: Path, end: float) -> None:
    content = CHAT.read_bytes()
    (tmp_path / "result.json").write_bytes(content[: int(len(content) * end)])
    messages, files = read(tmp_path)
    whole = read(CHAT)[0]
    assert messages == whole[: len(messages)]
    assert "cut short" in files[0].notes[0]


def test_control_characters_are_mended_wherever_a_block_ends(tmp_path: Path) -> None:
    text = "\\x0B\\\\x41\\\\\\x1F\\n" * 40_000
    message = (
        '{"id": 1, "type": "message", "date": "2023-01-01T00:00:00", "from": "A", "from_id": "user1", "text": "%s"}'
    )
    for shift in range(7):
        path = tmp_path / "result.json"
        path.write_text(" " * shift + '{"messages": [' + message % text + "]}", encoding="utf-8")
        assert read(path)[0][0][3] == "\x0b\\x41\\\x1f\n" * 40_000


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=12).filter(str.strip)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def escaped(text: str) -> str:
    table = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\", 0x2028: "\\u2028", 0x2029: "\\u2029"}
    table.update({code: f"\\x{code:02X}" for code in range(32) if code not in table})
    return '"' + text.translate(table) + '"'


@st.composite
def conversations(draw: st.DrawFn) -> tuple[str, list[Seen], int]:
    """A result.json, what was typed in it, and how many messages it has."""
    people = draw(st.lists(NAMES, min_size=2, max_size=4, unique_by=str.casefold))
    chat = draw(NAMES)
    time = datetime(2020, 1, 1) + timedelta(seconds=draw(st.integers(0, 10**8)))
    written: list[str] = []
    typed: list[Seen] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        time += timedelta(seconds=draw(st.integers(0, 10**5)))
        who = draw(st.integers(0, len(people) - 1))
        kind = draw(st.sampled_from(["typed"] * 6 + ["service", "forward", "bot", "sticker"]))
        parts = draw(st.lists(TEXTS, min_size=1, max_size=3))
        fields = [f'"id": {number}', f'"type": "{"service" if kind == "service" else "message"}"']
        fields += [f'"date": "{time.isoformat()}"', f'"date_unixtime": "{number}"']
        side = "actor" if kind == "service" else "from"
        fields += [f'"{side}": {escaped(people[who])}', f'"{side}_id": "user{who}"']
        answered = draw(st.none() | st.integers(1, number))
        if kind == "forward":
            fields.append(
                draw(st.sampled_from(['"forwarded_from": "X"', '"forwarded_from": null', '"saved_from": "Y"']))
            )
        elif kind == "bot":
            fields.append('"via_bot": "@like"')
        if answered:
            fields.append(f'"reply_to_message_id": {answered}')
        if kind == "sticker":
            fields += ['"media_type": "sticker"', '"sticker_emoji": "🙂"']
            parts = [""]
        elif draw(st.booleans()):
            fields.append('"photo": "(File not included. Change data exporting settings to download.)"')
        if len(parts) == 1:
            fields.append(f'"text": {escaped(parts[0])}')
        else:
            pieces = [
                escaped(part) if draw(st.booleans()) else f'{{"type": "italic", "text": {escaped(part)}}}'
                for part in parts
            ]
            fields.append(f'"text": [{", ".join(pieces)}]')
        fields.append('"text_entities": []')
        written.append("{\n   " + ",\n   ".join(fields) + "\n  }")
        content = "".join(parts)
        if kind == "typed" and content.strip():
            typed.append(
                [chat, time.isoformat(), people[who], content, str(number), str(answered) if answered else None]
            )
    head = f'{{\n "name": {escaped(chat)},\n "type": "private_group",\n "id": 5,\n "messages": [\n  '
    return head + ",\n  ".join(written) + "\n ]\n}", typed, len(written)


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(export=conversations())
def test_what_is_written_comes_back(tmp_path: Path, export: tuple[str, list[Seen], int]) -> None:
    path = tmp_path / "result.json"
    path.write_text(export[0], encoding="utf-8", newline="")
    messages, files = read(path)
    assert messages == export[1]
    assert [file.messages for file in files] == [export[2]]


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=st.sampled_from(["chat", "account", "old"]), seed=st.integers(0, 2**32))
def test_a_damaged_file_is_never_a_traceback(tmp_path: Path, case: str, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray((EXPORTS / case / "result.json").read_bytes())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        piece = chance.choice([b"", b"null", b"[]", b"{}", b"1e400", b'"', b"\\", b"\xff", b"\0", bytes(content[:50])])
        content[start : start + chance.randint(0, 20)] = piece
    path = tmp_path / "result.json"
    path.write_bytes(content)
    try:
        read(path)
    except SelfChatBotError as error:
        assert "\n" not in str(error)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    message = (
        '{"id": %d, "type": "message", "date": "2023-01-01T00:00:00", "from": "A", "from_id": "user1", "text": "%s"}'
    )
    with (tmp_path / "result.json").open("w", encoding="utf-8") as file:
        file.write('{"name": "A", "type": "personal_chat", "id": 1, "messages": [')
        file.write(",\n".join(message % (number, "word " * 200) for number in range(20_000)))
        file.write("]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in Telegram().read(tmp_path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # the file has 22 MiB; up to 5,000 messages wait for me
    finally:
        tracemalloc.stop()
