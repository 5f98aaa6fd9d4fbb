"""Messenger and Instagram: what is damaged or wrong."""

import random
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_messenger import EXPORTS, chat, read

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors.messenger.preprocessor import Messenger
from selfchatbot.preprocessors.reading.hints import hint_for_folder


def test_html_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "message_1.html").write_text("<html>", encoding="utf-8")
    (tmp_path / "events.json").write_text('{"events": []}', encoding="utf-8")
    assert Messenger().export_files(tmp_path) == []
    assert "with the format JSON" in (hint_for_folder(Messenger, tmp_path) or "")


GOOD = {"sender_name": "Ann", "timestamp_ms": 1, "content": "secret"}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([GOOD, 3], "message 2: it is no object"),
        ([{**GOOD, "timestamp_ms": 10**17}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": -(10**17)}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": "x"}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": None}], "message 1: its timestamp"),
        ([{**GOOD, "content": ["secret"]}], "message 1: its sender or content is no text"),
        ([{**GOOD, "sender_name": 5}], "message 1: its sender or content is no text"),
        ({"a": 1}, '"messages" is not a list'),
    ],
)
def test_a_message_of_wrong_types_is_one_line_that_names_it(tmp_path: Path, records: Any, message: str) -> None:
    path = chat(tmp_path, records)
    with pytest.raises(ExportError, match=message) as error:
        read(tmp_path)
    assert str(error.value).startswith(str(path))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"[]", "no chat of Messenger or Instagram"),
        (b'{"participants": []}', "no chat of Messenger or Instagram"),
        (b'{"participants": 3, "messages": []}', '"participants" is not a list'),
        (b'{"messages": [' + b"[" * 10**5, "nested deeper than 64"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b'{"messages": [{"content": "\xff"}]}', "not UTF-8"),
    ],
)
def test_what_is_no_chat_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "message_1.json").write_bytes(content)
    with pytest.raises(ExportError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs"]), min_size=1, max_size=12)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def damaged(value: str) -> str:
    """A string as Facebook writes it: an escape for each byte that is not ASCII."""
    return (
        '"'
        + "".join(
            f"\\u00{byte:02x}" if byte > 126 or byte < 32 or byte in b'"\\' else chr(byte) for byte in value.encode()
        )
        + '"'
    )


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    members=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    typed=st.lists(st.tuples(st.integers(0, 3), TEXTS, st.booleans()), min_size=1, max_size=12),
    parts=st.integers(1, 3),
)
def test_what_is_written_comes_back(
    tmp_path: Path, members: list[str], typed: list[tuple[int, str, bool]], parts: int
) -> None:
    folder = tmp_path / "inbox" / "x_1"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    records = []
    expected = []
    for number, (who, text, with_photo) in enumerate(typed):
        sender = members[who % len(members)]
        content = f"> {text}"  # no notice begins like this
        photo = ', "photos": [{"uri": "a.jpg"}]' if with_photo else ""
        records.append(
            f'{{"sender_name": {damaged(sender)}, "timestamp_ms": {number}, "content": {damaged(content)}{photo}}}'
        )
        expected.append([sender, content])
    size = -(-len(records) // parts)
    names = ", ".join(f'{{"name": {damaged(name)}}}' for name in members)
    for part in range(parts):
        piece = records[::-1][part * size : (part + 1) * size]
        text = f'{{"participants": [{names}], "messages": [{", ".join(piece)}], "title": {damaged("Tïtle")}}}'
        (folder / f"message_{part + 1}.json").write_text(text, encoding="utf-8")
    messages, files = read(tmp_path)
    assert [[author, content] for _, _, author, content in messages] == expected
    assert {message[0] for message in messages} == {"Tïtle"}
    assert {file.group for file in files} == {len(members) > 2}


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    source=st.sampled_from([path for path in sorted(EXPORTS.rglob("*.json")) if path.parent != EXPORTS]),
    seed=st.integers(0, 2**32),
)
def test_a_damaged_file_is_never_a_traceback(tmp_path: Path, source: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(source.read_bytes())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        piece = chance.choice([b"", b"null", b"[]", b"{}", b"1e400", b'"', b"\\", b"\xff", b"\0", bytes(content[:50])])
        content[start : start + chance.randint(0, 20)] = piece
    (tmp_path / source.name).write_bytes(content)
    try:
        read(tmp_path)
    except SelfChatBotError as error:
        assert "\n" not in str(error)
    finally:
        (tmp_path / source.name).unlink()
