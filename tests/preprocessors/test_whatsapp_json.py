"""WhatsApp-Chat-Exporter: exports in whatsapp_json/ give what the .json beside them says, and so do written ones."""

import json
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors.reading.hints import hint_for_folder
from selfchatbot.preprocessors.slack import Slack
from selfchatbot.preprocessors.whatsapp import WhatsApp

EXPORTS = Path(__file__).parent / "whatsapp_json"
FILES = sorted(path for path in EXPORTS.glob("*/**/*.json") if not path.name.startswith("DOC"))
RESULT = EXPORTS / "exporter" / "result.json"
GOOD = {"from_me": False, "timestamp": 1704449413.0, "key_id": "A", "meta": False, "data": "secret", "sender": None}


def export(*messages: object, name: object = "Moss", key: str = "49151@s.whatsapp.net") -> str:
    return json.dumps({key: {"name": name, "type": "android", "messages": dict(enumerate(messages))}})


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(WhatsApp(), EXPORTS, case)


def test_it_recognises_its_own_and_says_where_it_belongs() -> None:
    assert all(WhatsApp.recognises(path, path.read_bytes()[:65536]) for path in FILES)
    assert not WhatsApp.recognises(Path("result.json"), b'{"name": "Moss", "type": "personal_chat", "messages": []}')
    hint = hint_for_folder(Slack, RESULT.parent)
    assert hint is not None
    assert "looks like WhatsApp" in hint


def test_i_am_called_as_i_call_myself() -> None:
    files: list = []
    reader = WhatsApp(username="Rowan")
    mine = [one.content for one in reader.read(RESULT, files) if reader.is_me(one.author)]
    assert mine == ["yes", "the view\nfrom here", "call me later", "me too"]
    assert files[0].me == "Rowan"


def test_other_json_was_sent_in_the_chats(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"messages": []}', encoding="utf-8")
    assert WhatsApp().export_files(tmp_path) == []
    assert "other.json" in error_of(WhatsApp(), tmp_path / "other.json")


def test_exports_of_different_times_follow_one_another(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(export({**GOOD, "timestamp": 1704449999}), encoding="utf-8")
    (tmp_path / "b.json").write_text(export(GOOD), encoding="utf-8")
    assert [one.timestamp.second for one in read(WhatsApp(), tmp_path)[0]] == [13, 59]


@settings(max_examples=examples(80))
@given(
    said=st.lists(st.tuples(st.booleans(), NAMES, text("You: a", "< br>")), min_size=1, max_size=8),
    group=st.booleans(),
    newest_first=st.booleans(),
)
def test_any_chat_comes_back_message_for_message(
    said: list[tuple[bool, str, str]], group: bool, newest_first: bool
) -> None:
    records, expected = [], []
    for number, (mine, name, typed) in enumerate(said):
        sender = None if mine or not group else name
        data = typed.replace("\n", " <br>")
        records.append({**GOOD, "from_me": mine, "timestamp": 1e9 + number, "data": data, "sender": sender})
        expected.append(("Me" if mine else name if group else "Moss", typed))
    if newest_first:
        records.reverse()
    with TemporaryDirectory() as temporary:
        written = export(*records, key="49151-17@g.us" if group else "49151@s.whatsapp.net")
        Path(temporary, "result.json").write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(WhatsApp(), Path(temporary))
    assert [(one.author, one.content) for one in messages] == expected
    assert [(one.messages, one.group) for one in files] == [(len(said), group)]


@settings(max_examples=examples(120))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(WhatsApp(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


def test_an_export_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(export(GOOD, GOOD)[:-30], encoding="utf-8")
    messages, files = read(WhatsApp(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (export(7), "message 1 of a chat: its timestamp"),
        (export({**GOOD, "timestamp": "x"}), "message 1 of a chat: its timestamp"),
        (export(GOOD, {**GOOD, "data": ["secret"]}), "message 2 of a chat: its timestamp"),
        (export({**GOOD, "key_id": {}}), "message 1 of a chat: its timestamp"),
        (export(GOOD, name=7), "a chat whose name is no text"),
        ('{"49151@s.whatsapp.net": {"name": "Moss", "messages": []}}', '"*.messages" is not an object'),
        ('{"49151@s.whatsapp.net": {"name": "Moss"}}', "no chat of WhatsApp-Chat-Exporter"),
        ('{"49151@s.whatsapp.net": {"name": "Moss", "messages"; {}}}', "no valid JSON"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "result.json").write_text(content, encoding="utf-8")
    error = error_of(WhatsApp(), tmp_path)
    assert found in error
    assert "result.json" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    record = json.dumps({**GOOD, "data": "word " * 400})
    with (tmp_path / "result.json").open("w", encoding="utf-8") as file:
        file.write(export().removesuffix("{}}}"))
        file.writelines(f'{"," if number else "{"}"{number}": {record}' for number in range(5_000))
        file.write("}}}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in WhatsApp().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20  # the file has 13 MiB
    finally:
        tracemalloc.stop()
