"""SMS Import / Export: what it writes comes back, damaged or not. test_sms reads the exports in sms/."""

import json
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors.reading.hints import hint_for_folder
from selfchatbot.preprocessors.slack import Slack
from selfchatbot.preprocessors.sms import SMS

EXPORTS = Path(__file__).parent / "sms"
FILES = [EXPORTS / "sms-ie" / "messages.ndjson", EXPORTS / "sms-ie-old" / "messages-2022-09-30.json"]
GOOD = {"_id": "1", "thread_id": "5", "address": "5550001", "date": "1704449413500", "type": "1", "body": "secret"}
MMS = {"thread_id": "5", "date": "1704449413", "msg_box": "1"}
PEOPLE = {"5550001": "Anna", "5550002": "Jürgen (Arbeit)", "AMAZON": None}
MINE = "5559999"


def test_it_recognises_its_own_and_says_where_it_belongs() -> None:
    assert all(SMS.recognises(path, path.read_bytes()[:65536]) for path in FILES)
    assert not SMS.recognises(Path("messages.json"), b'{"messages": []}')
    assert "looks like SMS" in str(hint_for_folder(Slack, FILES[0].parent))


def address(number: str, kind: str) -> dict[str, str]:
    name = PEOPLE.get(number)
    return {"address": number, "type": kind} | ({"__display_name": name} if name else {})


def test_a_group_is_one_chat_though_only_mms_to_groups_tell_my_number(tmp_path: Path) -> None:
    def mms(box: str, sender: str, *recipients: str) -> dict[str, object]:
        return MMS | {
            "msg_box": box,
            "__sender_address": address(sender, "137"),
            "__recipient_addresses": [address(number, "151") for number in recipients],
            "__parts": [{"ct": "text/plain", "text": f"from {sender}"}],
        }

    rows = [
        mms("1", "5550001", MINE, "5550002"),
        mms("2", "insert-address-token", "5550001", "5550002"),
        mms("1", "5550002", "5550001", MINE),
    ]
    path = tmp_path / "messages.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert {message.chat for message in SMS().read(path)} == {"Anna, Jürgen (Arbeit)"}


@settings(max_examples=examples(80))
@given(
    sent=st.lists(
        st.tuples(
            st.booleans(),
            st.lists(st.sampled_from(sorted(PEOPLE)), min_size=1, max_size=2, unique=True),
            text('{"type": "1"}', "null"),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    ),
    old=st.booleans(),
)
def test_any_export_comes_back_message_for_message(sent: list[tuple[bool, list[str], str, bool]], old: bool) -> None:
    # A first message tells my number.
    mine = {**MMS, "date": "1", "__sender_address": address("5550001", "137")}
    mine |= {"__recipient_addresses": [{"address": MINE, "type": "151"}], "__parts": [{"ct": "image/png"}]}
    records, expected = [mine], []
    start = datetime(2019, 12, 31, 23, 59)
    for number, (by_me, chosen, body, mms) in enumerate(sent):
        time = start + timedelta(minutes=number)
        seconds = (time - datetime(1970, 1, 1)) // timedelta(seconds=1)
        others = chosen if mms else chosen[:1]
        if mms:
            sender, *rest = (MINE, *others) if by_me else (*others, MINE)
            record = {**MMS, "date": str(seconds), "msg_box": "2" if by_me else "1"}
            record["__sender_address"] = address(sender, "137")
            record["__recipient_addresses"] = [address(one, "151") for one in rest]
            record["__parts"] = [{"ct": "application/smil", "text": "<smil>"}, {"ct": "text/plain", "text": body}]
        else:
            record = {**GOOD, "date": str(seconds * 1000), "type": "2" if by_me else "1", "body": body}
            record |= address(others[0], record["type"])
        records.append(record)
        shown = {one: PEOPLE[one] or one for one in others}
        expected.append((", ".join(sorted(shown.values())), time, "Me" if by_me else shown[others[0]], body))
    records.reverse()
    with TemporaryDirectory() as temporary:
        if old:
            written = json.dumps(records, indent=2).replace('"__', '"')
            Path(temporary, "messages-2022-01-01.json").write_text(written, encoding="utf-8", newline="\n")
        else:
            written = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
            Path(temporary, "messages.ndjson").write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(SMS(), Path(temporary))
    assert sorted((one.chat, one.timestamp, one.author, one.content) for one in messages) == sorted(expected)
    assert not any(one.notes for one in files)


@settings(max_examples=examples(120))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(SMS(), file.parent, file, damage)


@pytest.mark.parametrize("name", ["messages.ndjson", "messages.json"])
def test_an_export_that_is_cut_short_gives_what_is_there(tmp_path: Path, name: str) -> None:
    whole = json.dumps([GOOD, GOOD]) if name == "messages.json" else f"{json.dumps(GOOD)}\n{json.dumps(GOOD)}"
    (tmp_path / name).write_text(whole[:-30], encoding="utf-8")
    messages, files = read(SMS(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("messages.json", "{}", "no list of messages"),
        ("messages.json", "[7]", "message 1: its date"),
        ("messages.json", json.dumps([GOOD, {**GOOD, "date": "x"}]), "message 2: its date"),
        ("messages.json", json.dumps([{"number": "1", "duration": "secret"}]), "message 1: its date"),
        ("messages.ndjson", json.dumps({**GOOD, "body": ["secret"]}), "message 1: its date"),
        ("messages.ndjson", json.dumps({**MMS, "__parts": [7]}), "message 1: its date"),
        ("messages.ndjson", f"secret\n{json.dumps(GOOD)}", "line 1: no JSON object"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, name: str, content: str, found: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    error = error_of(SMS(), tmp_path)
    assert found in error
    assert name in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.preprocessors.sms.preprocessor.ROWS", 2_000)  # few beside those of the file
    with (tmp_path / "messages.ndjson").open("w", encoding="utf-8") as file:
        for n in range(10_000):
            file.write(json.dumps({**GOOD, "date": str(1_600_000_000_000 + n), "body": "word " * 400}) + "\n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in SMS().read(tmp_path)) == 10_000
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # the file has 24 MiB; 2,000 messages wait
    finally:
        tracemalloc.stop()
