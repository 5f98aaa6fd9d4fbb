"""Google Chat: every download in googlechat/ gives what the .json beside it says, and so do written ones."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.google_chat import GoogleChat

EXPORTS = Path(__file__).parent / "googlechat"
FILES = sorted(EXPORTS.rglob("*/*.json"))
CHAT = next(path for path in FILES if path.parent.name.startswith("DM") and path.name == "messages.json")
GOOD = {
    "creator": {"name": "Ana", "email": "ana@example.com", "user_type": "Human"},
    "created_date": "Thursday, November 3, 2016 at 11:59:50 AM UTC",
    "text": "secret",
}


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_downloads_give_what_was_typed(case: str) -> None:
    check_case(GoogleChat(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["googlechat"] is GoogleChat
    assert GoogleChat.recognises(CHAT, CHAT.read_bytes()[:65536])
    assert not GoogleChat.recognises(Path("messages.json"), b'[{"ID": 1, "Contents": "x"}]')


def test_i_am_known_by_email_before_the_first_message() -> None:
    files: list = []
    reader = GoogleChat(username="rowan@example.com")
    next(reader.read(EXPORTS / "takeout", files))
    assert files[0].me == "Rowan Vale"
    assert [name for name in ("Rowan Vale", "Moss") if reader.is_me(name)] == ["Rowan Vale"]


@settings(max_examples=examples(60))
@given(
    sent=st.lists(st.tuples(NAMES, text("Bot", "https://a.b/?c=d&e")), min_size=1, max_size=8),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    twelve=st.booleans(),
    newest_first=st.booleans(),
)
def test_any_chat_comes_back_message_for_message(
    sent: list[tuple[str, str]], start: datetime, twelve: bool, newest_first: bool
) -> None:
    records, expected = [], []
    for number, (name, typed) in enumerate(sent):
        time = start.replace(microsecond=0) + timedelta(hours=5 * number)
        if twelve:
            date = f"{time:%A, %B} {time.day}, {time.year} at {time.hour % 12 or 12}:{time:%M:%S}\u202f{time:%p} UTC"
        else:
            date = f"{time:%A}, {time.day} {time:%B} {time.year} at {time:%H:%M:%S} UTC"
        records.append({"creator": {"name": name, "user_type": "Human"}, "created_date": date, "text": typed})
        expected.append((time, name, typed))
    if newest_first:
        records.reverse()
    with TemporaryDirectory() as temporary:
        written = json.dumps({"messages": records}, ensure_ascii=False)
        Path(temporary, "messages.json").write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(GoogleChat(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == expected
    assert files[0].messages == len(sent)


@settings(max_examples=examples(120))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(GoogleChat(), EXPORTS / "takeout", file, damage)


def test_a_download_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    whole = json.dumps({"messages": [GOOD, GOOD]})
    (tmp_path / "messages.json").write_text(whole[:-30], encoding="utf-8")
    messages, files = read(GoogleChat(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[]", '"messages" is missing'),
        ("{}", '"messages" is missing'),
        ({"messages": [7]}, "message 1: its date"),
        ({"messages": [{**GOOD, "created_date": "jueves, 3 de noviembre de 2016, 11:59:50 UTC"}]}, "to English"),
        (
            {"messages": [{**GOOD, "created_date": "Monday, Nowember 3, 2016 at 1:00:00 AM UTC"}]},
            "message 1: its date",
        ),
        (
            {"messages": [{**GOOD, "created_date": "Thursday, November 33, 2016 at 1:00:00 AM UTC"}]},
            "message 1: its date",
        ),
        ({"messages": [{**GOOD, "text": ["secret"]}]}, "message 1: its date"),
        ({"messages": [{**GOOD, "creator": None}]}, "message 1: its date"),
    ],
)
def test_what_is_no_download_is_one_line(tmp_path: Path, content: object, found: str) -> None:
    written = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "messages.json").write_text(written, encoding="utf-8")
    error = error_of(GoogleChat(), tmp_path)
    assert found in error
    assert "messages.json" in error
    assert "secret" not in error


def test_an_owner_that_is_none_is_one_line(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "takeout", tmp_path / "takeout")
    info = next((tmp_path / "takeout").rglob("user_info.json"))
    for user in ("x", {"name": 5}, [1], None):
        info.write_text(json.dumps({"user": user}), encoding="utf-8")
        assert '"user" is not as expected' in error_of(GoogleChat(), tmp_path / "takeout")
