"""Skype and Teams: every export in skype/ gives what the .json beside it says, and so do written ones."""

import html
import json
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading.hints import hint_for_folder
from selfchatbot.preprocessors.skype import Skype, Teams
from selfchatbot.preprocessors.skype.text import typed

EXPORTS = Path(__file__).parent / "skype"
FILES = sorted(EXPORTS.rglob("messages.json"))
GOOD = {"id": "1", "displayName": "Moss", "originalarrivaltime": "2020-07-06T17:20:30.609Z", "messagetype": "RichText"}
GOOD |= {"content": "secret", "conversationid": "8:moss", "from": "8:moss", "properties": None}


def export(*messages: object, key: object = "8:moss", name: object = "Moss") -> str:
    chat = {"id": key, "displayName": name, "threadProperties": None, "MessageList": list(messages)}
    return json.dumps({"userId": "8:rowan", "exportDate": "2020-07-06T20:55", "conversations": [chat]})


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(Skype(), EXPORTS, case)


def test_they_are_registered_and_recognise_their_own() -> None:
    assert [Preprocessors[name] for name in ("skype", "teams")] == [Skype, Teams]
    assert all(kind.recognises(path, path.read_bytes()) for path in FILES for kind in (Skype, Teams))
    assert not Skype.recognises(Path("result.json"), b'{"personal_information": {"user_id": 1}}')


def test_a_packed_export_is_named(tmp_path: Path) -> None:
    (tmp_path / "8_rowan_export.tar").write_bytes(b"messages.json")
    assert "unpack it" in str(hint_for_folder(Skype, tmp_path))


def test_i_am_known_by_id_before_the_first_message() -> None:
    files: list = []
    reader = Skype(username="live:rowan")
    messages = list(reader.read(EXPORTS / "skype", files))
    assert next(one.content for one in messages if reader.is_me(one.author)) == "me too"
    assert {one.me for one in files} == {"live:rowan"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a &lt; b &amp; c", "a < b & c"),
        ("I <3 you > me", "I <3 you > me"),
        ('<p>hi <span><img alt="🙂" itemtype="http://schema.skype.com/Emoji" itemid="smile"></span></p>', "hi 🙂"),
        ('<p>see<img itemtype="http://schema.skype.com/AMSImage" alt="image"></p>', "see"),
        ('<i raw_pre="_" raw_post="_">so</i> and <s raw_pre=\'~\'>so</s>', "_so_ and so"),
        ('<at id="8:a">@Ana</at> and <at id="8:b">Ben</at>', "@Ana and @Ben"),
        ('<quote a="1">one<quote>inner</quote>outer</quote>two<quote>three</quote>', "two"),
        ("<quote>never closed", ""),
        ("</quote></b>text", "text"),
        ("<div>one</div><div>two<br/>three</div>", "one\ntwo\nthree"),
        ('gone<e_m a="x" ts_ms="1" ts="0" t="61"/>', "gone"),
    ],
)
def test_what_was_typed_comes_out_of_the_tags(content: str, expected: str) -> None:
    assert typed(content) == expected


def test_an_edited_message_counts_once_whatever_the_order(tmp_path: Path) -> None:
    again = {**GOOD, "id": "2", "originalarrivaltime": "2020-07-06T18:00:00Z"}
    again["content"] = 'better<e_m a="moss" ts_ms="1594056030609" ts="1594056030" t="61"></e_m>'
    for messages in ((GOOD, again), (again, GOOD)):
        (tmp_path / "messages.json").write_text(export(*messages), encoding="utf-8")
        (one,) = read(Skype(), tmp_path)[0]
        assert (one.content, one.timestamp) == ("better", datetime(2020, 7, 6, 17, 20, 30, 609000))


@settings(max_examples=examples(80))
@given(
    said=st.lists(st.tuples(st.booleans(), text("<ss>", "&amp;", "<quote>x</quote>")), min_size=1, max_size=8),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    name=NAMES,
    newest_first=st.booleans(),
)
def test_any_chat_comes_back_message_for_message(
    said: list[tuple[bool, str]], start: datetime, name: str, newest_first: bool
) -> None:
    records, expected = [], []
    for number, (mine, content) in enumerate(said):
        time = start.replace(microsecond=0) + timedelta(minutes=number)
        sender = {"from": "8:rowan", "displayName": None} if mine else {"from": "8:moss", "displayName": name}
        stated = {"originalarrivaltime": f"{time.isoformat()}.000Z", "content": html.escape(content, quote=False)}
        records.append({**GOOD, **sender, **stated})
        expected.append((time, "rowan" if mine else name, content))
    if newest_first:
        records.reverse()
    with TemporaryDirectory() as temporary:
        Path(temporary, "messages.json").write_text(export(*records, name=name), encoding="utf-8", newline="\n")
        messages, files = read(Skype(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == expected
    assert [(one.chat, one.messages, one.me) for one in files] == [(name, len(said), "rowan")]


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Skype(), file.parent, file, damage)


def test_an_export_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    later = {**GOOD, "originalarrivaltime": "2020-07-06T17:20:31Z"}
    (tmp_path / "messages.json").write_text(export(GOOD, later)[:-30], encoding="utf-8")
    messages, files = read(Skype(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[]", 'no "conversations"'),
        ("{}", 'no "conversations"'),
        ('{"conversations": 3}', '"conversations" is not a list'),
        (export(key=3), "a conversation whose id is no text"),
        (export(7), "message 1 of a conversation"),
        (export(GOOD, {**GOOD, "originalarrivaltime": "x"}), "message 2 of a conversation"),
        (export({**GOOD, "content": ["secret"]}), "message 1 of a conversation"),
        (export({**GOOD, "from": 7}), "message 1 of a conversation"),
        (export({**GOOD, "displayName": 5}), "message 1 of a conversation"),
        (export({**GOOD, "properties": "secret"}), "message 1 of a conversation"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "messages.json").write_text(content, encoding="utf-8")
    error = error_of(Skype(), tmp_path)
    assert found in error
    assert "messages.json" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.preprocessors.reading.sorter.ROWS", 2_000)  # few beside those of the file
    with (tmp_path / "messages.json").open("w", encoding="utf-8") as file:
        file.write(export().removesuffix("]}]}"))
        for n in range(5_000):
            time = datetime(2020, 1, 1) + timedelta(seconds=n)
            record = {**GOOD, "originalarrivaltime": time.isoformat(), "content": "word " * 400}
            file.write(f"{',' if n else ''}{json.dumps(record)}")
        file.write("]}]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in Skype().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 9 * 2**20  # the file has 15 MiB
    finally:
        tracemalloc.stop()
