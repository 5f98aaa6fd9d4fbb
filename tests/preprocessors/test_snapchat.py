"""Snapchat: every download in snapchat/ gives what the .json beside it says, and so do written ones."""

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
from selfchatbot.preprocessors.snapchat import Snapchat

EXPORTS = Path(__file__).parent / "snapchat"
FILES = sorted(EXPORTS.glob("*/json/*.json"))
GOOD = {"From": "moss", "Media Type": "TEXT", "Created": "2024-04-20 01:29:22 UTC", "Content": "secret"}


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_downloads_give_what_was_typed(case: str) -> None:
    check_case(Snapchat(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["snapchat"] is Snapchat
    recognised = {path.name for path in FILES if Snapchat.recognises(path, path.read_bytes()[:65536])}
    assert recognised == {"chat_history.json"}


def test_i_am_known_by_user_name_without_my_account(tmp_path: Path) -> None:
    (tmp_path / "chat_history.json").write_text(json.dumps({"moss": [GOOD, {**GOOD, "From": "r", "IsSender": True}]}))
    files: list = []
    reader = Snapchat(username="r")
    next(reader.read(tmp_path, files))
    assert files[0].me == "r"
    assert reader.is_me("r")


def test_a_file_alone_has_its_tables_beside_it() -> None:
    messages, _ = read(Snapchat(), EXPORTS / "mydata" / "json" / "chat_history.json")
    assert messages[-1].author == "Rowan"


def test_downloads_of_different_times_count_once(tmp_path: Path) -> None:
    later = {**GOOD, "Created": "2025-04-20 01:29:22 UTC"}
    for name, messages in (("a", [GOOD, GOOD]), ("b", [later, GOOD, GOOD])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "chat_history.json").write_text(json.dumps({"moss": messages}), encoding="utf-8")
    # Whoever says the same twice in a second says it twice.
    assert [one.timestamp.year for one in read(Snapchat(), tmp_path)[0]] == [2024, 2024, 2025]


@settings(max_examples=examples(80))
@given(
    said=st.lists(st.tuples(st.booleans(), text("Received Saved Chat History", "&amp;")), min_size=1, max_size=8),
    start=st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1)),
    old=st.booleans(),
)
def test_any_chat_comes_back_message_for_message(said: list[tuple[bool, str]], start: datetime, old: bool) -> None:
    chats: dict[str, list[dict[str, object]]] = {}
    expected = []
    for number, (mine, typed) in enumerate(said):
        time = start.replace(microsecond=0) + timedelta(minutes=number)
        stated = {"Media Type": "TEXT", "Created": f"{time} UTC"}
        if old:
            key, who = ("Sent Saved Chat History", "To") if mine else ("Received Saved Chat History", "From")
            record = {who: "moss", **stated, "Text": html.escape(typed)}
        else:
            key, record = "moss", {"From": "rowan" if mine else "moss", **stated, "Content": typed, "IsSender": mine}
        chats.setdefault(key, []).insert(0, record)
        expected.append((time, ("Me" if old else "rowan") if mine else "moss", typed))
    with TemporaryDirectory() as temporary:
        written = json.dumps(chats, ensure_ascii=False)
        Path(temporary, "chat_history.json").write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(Snapchat(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == expected
    assert [(one.chat, one.messages) for one in files] == [("moss", len(said))]


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Snapchat(), file.parent.parent, file, damage)


def test_a_download_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "chat_history.json").write_text(json.dumps({"moss": [GOOD, GOOD]})[:-30], encoding="utf-8")
    messages, files = read(Snapchat(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[]", "no object of chats"),
        ('{"moss": 3}', '"*" is not a list'),
        ({"moss": [7]}, "message 1 of a chat"),
        ({"moss": [GOOD, {**GOOD, "Created": "secret"}]}, "message 2 of a chat"),
        ({"moss": [{**GOOD, "Content": ["secret"]}]}, "message 1 of a chat"),
        ({"moss": [{**GOOD, "From": {}}]}, "message 1 of a chat"),
        ({"Sent Saved Chat History": [GOOD]}, "message 1 of a chat"),
    ],
)
def test_what_is_no_download_is_one_line(tmp_path: Path, content: object, found: str) -> None:
    written = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "chat_history.json").write_text(written, encoding="utf-8")
    error = error_of(Snapchat(), tmp_path)
    assert found in error
    assert "chat_history.json" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.preprocessors.reading.sorter.ROWS", 2_000)  # few beside those of the file
    record = json.dumps({**GOOD, "Content": "word " * 400})
    with (tmp_path / "chat_history.json").open("w", encoding="utf-8") as file:
        file.write('{"moss": [')
        file.writelines(f"{',' if n else ''}{record}" for n in range(5_000))
        file.write("]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in Snapchat().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 9 * 2**20  # the file has 12 MiB
    finally:
        tracemalloc.stop()
