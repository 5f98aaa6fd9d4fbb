"""X: every archive in x/ gives what the .json beside it says, and so do written ones."""

import html
import json
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.x import X

EXPORTS = Path(__file__).parent / "x"
FILES = sorted(EXPORTS.rglob("*.js"))
GOOD = {"senderId": "1", "id": "9", "createdAt": "2020-01-20T21:42:09.068Z", "text": "secret", "urls": []}


def archive(*messages: object, key: object = "1-2", start: str = "window.YTD.direct_messages.part0 = ") -> str:
    return start + json.dumps([{"dmConversation": {"conversationId": key, "messages": list(messages)}}])


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_archives_give_what_was_typed(case: str) -> None:
    check_case(X(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["x"] is X
    recognised = {path.name for path in FILES if X.recognises(path, path.read_bytes()[:65536])}
    assert recognised == {"direct-messages.js", "direct-messages-group.js"}


@pytest.mark.parametrize("name", ["@rowan_v", "rowan vale", "111"])
def test_i_am_known_by_every_name(name: str) -> None:
    messages, files = read(X(username=name), EXPORTS / "archive")
    reader = X(username=name)
    list(reader.read(EXPORTS / "archive"))
    assert {one.author for one in messages if reader.is_me(one.author)} == {"Rowan Vale"}
    assert {one.me for one in files} == {"Rowan Vale"}


def test_a_file_alone_has_its_tables_beside_it() -> None:
    messages, _ = read(X(), EXPORTS / "archive" / "data" / "direct-messages.js")
    assert messages[0].chat == "Moss 🌿"


def test_archives_of_different_times_count_once(tmp_path: Path) -> None:
    later = {**GOOD, "id": "10", "createdAt": "2021-01-20T21:42:09.068Z"}
    for name, messages in (("a", [GOOD]), ("b", [later, GOOD])):
        (tmp_path / name).mkdir()
        written = archive(*({"messageCreate": message} for message in messages))
        (tmp_path / name / "direct-messages.js").write_text(written, encoding="utf-8")
    assert [one.id for one in read(X(), tmp_path)[0]] == ["9", "10"]


@settings(max_examples=examples(80))
@given(
    said=st.lists(
        st.tuples(st.sampled_from(("1", "2")), text("window.YTD = [", "https://t.co/x", "a &lt; b")), min_size=1
    ),
    size=st.integers(1, 5),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    part=st.sampled_from(("", "-part1")),
)
def test_any_chat_comes_back_message_for_message(
    said: list[tuple[str, str]], size: int, start: datetime, part: str
) -> None:
    records, expected = [], []
    for number, (sender, typed) in enumerate(said):
        time = start.replace(microsecond=0) + timedelta(minutes=number)
        sent = {**GOOD, "senderId": sender, "id": str(number), "createdAt": f"{time.isoformat()}.000Z"}
        records.append({"messageCreate": sent | {"text": html.escape(typed, quote=False)}})
        expected.append((time, sender, typed))
    records.reverse()
    # Long conversations are cut into pieces.
    pieces = [records[at : at + size] for at in range(0, len(records), size)]
    written = [{"dmConversation": {"conversationId": "1-2", "messages": piece}} for piece in pieces]
    with TemporaryDirectory() as temporary:
        path = Path(temporary, f"direct-messages{part}.js")
        path.write_text(f"window.YTD.direct_messages.part0 = {json.dumps(written)}", encoding="utf-8", newline="\n")
        messages, files = read(X(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == expected
    assert [one.messages for one in files] == [len(said)]


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(X(), EXPORTS / "archive", file, damage)


def test_an_archive_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    whole = archive({"messageCreate": GOOD}, {"messageCreate": {**GOOD, "id": "8"}})
    (tmp_path / "direct-messages.js").write_text(whole[:-30], encoding="utf-8")
    messages, files = read(X(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


def test_half_an_emoji_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "direct-messages.js").write_text(archive({"messageCreate": {**GOOD, "text": "a\ud83d"}}))
    assert [one.content for one in read(X(), tmp_path)[0]] == ["a?"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{}", "no list of conversations"),
        ("window.YTD.direct_messages.part0 = {}", "no list of conversations"),
        (archive(7), "message 1 of a conversation"),
        (archive({"messageCreate": 7}), "message 1 of a conversation"),
        (archive({"messageCreate": {**GOOD, "createdAt": "x"}}), "message 1 of a conversation"),
        (archive({"messageCreate": GOOD}, {"messageCreate": {**GOOD, "text": ["secret"]}}), "message 2 of a"),
        (archive({"messageCreate": {**GOOD, "urls": [{"url": "secret"}]}}), "message 1 of a conversation"),
        (archive({"conversationNameUpdate": {"name": "secret"}}), "message 1 of a conversation"),
        ("window.YTD.direct_messages.part0 = [secret]", "no valid JSON"),
    ],
)
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "direct-messages.js").write_text(content, encoding="utf-8")
    error = error_of(X(), tmp_path)
    assert found in error
    assert "direct-messages.js" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.preprocessors.reading.sorter.ROWS", 2_000)  # few beside those of the file
    records = ({"messageCreate": {**GOOD, "id": str(n), "text": "word " * 400}} for n in range(5_000))
    with (tmp_path / "direct-messages.js").open("w", encoding="utf-8") as file:
        file.write(archive().removesuffix("]}}]"))
        file.writelines(f"{',' if n else ''}{json.dumps(record)}" for n, record in enumerate(records))
        file.write("]}}]")
    tracemalloc.start()
    try:
        assert sum(1 for _ in X().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 9 * 2**20  # the file has 13 MiB
    finally:
        tracemalloc.stop()
