"""ChatLab, WeChat and QQ: every export in chatlab/ gives what the .json beside it says, and so do written ones."""

import json
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.chatlab import QQ, ChatLab, WeChat
from selfchatbot.preprocessors.jsonl import JSONL

EXPORTS = Path(__file__).parent / "chatlab"
FILES = sorted(path for path in EXPORTS.glob("*/**/*.json*") if path.name != "avatars.json")
META = {"name": "x", "platform": "qq", "type": "group"}
HEADER = {"_type": "header", "chatlab": {"version": "0.0.2"}, "meta": META}
GOOD = {"_type": "message", "sender": "1", "accountName": "Ana", "timestamp": 1703001600, "type": 0}
GOOD["content"] = "secret"


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(ChatLab(), EXPORTS, case)


def test_they_are_registered_and_recognise_their_own() -> None:
    assert [Preprocessors[name] for name in ("chatlab", "wechat", "qq")] == [ChatLab, WeChat, QQ]
    kinds = {
        path.name: [k for k in (ChatLab, WeChat, QQ, JSONL) if k.recognises(path, path.read_bytes())] for path in FILES
    }
    assert kinds == {
        "Mike.json": [ChatLab],
        "Trip.jsonl": [WeChat],
        "私聊_林.json": [WeChat],
        "1.json": [WeChat],
        "2.json": [WeChat],
        "friend_林.json": [QQ],
        "old.json": [QQ],
        "manifest.json": [QQ],
        "c000001.jsonl": [QQ],
        "c000002.jsonl": [QQ],
    }


def test_i_am_known_by_id_before_the_first_message() -> None:
    files: list = []
    reader = ChatLab(username="wxid_me")
    next(reader.read(EXPORTS / "standard", files))
    assert files[0].me == "阿罗"
    assert [name for name in ("阿罗", "林") if reader.is_me(name)] == ["阿罗"]


def test_the_first_streaming_layout_of_weflow(tmp_path: Path) -> None:
    heads = [
        {"_type": "chatlab", "version": "1.0", "generator": "WeFlow"},
        {"_type": "meta", "name": "家", "platform": "wechat"},
    ]
    lines = [*heads, GOOD, {**GOOD, "type": 99}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert [(one.chat, one.author, one.content) for one in read(WeChat(), tmp_path)[0]] == [("家", "Ana", "secret")]


TYPED = st.tuples(NAMES, text("# a", "[引用 x]", "wxid:"), st.sampled_from((0, 0, 25, 1, 7, 23, 80, 81, 99)))


@settings(max_examples=examples(80))
@given(said=st.lists(TYPED, min_size=1, max_size=8), lines=st.booleans(), newest_first=st.booleans())
def test_any_chat_comes_back_message_for_message(
    said: list[tuple[str, str, int]], lines: bool, newest_first: bool
) -> None:
    messages = [
        {"sender": name, "accountName": name, "timestamp": 1_600_000_000 + n, "type": kind, "content": typed}
        for n, (name, typed, kind) in enumerate(said)
    ]
    if newest_first:
        messages.reverse()
    whole = {"chatlab": HEADER["chatlab"], "meta": META, "members": [], "messages": messages}
    with TemporaryDirectory() as temporary:
        if lines:
            written = "\n".join(json.dumps(one) for one in (HEADER, *({"_type": "message", **m} for m in messages)))
            Path(temporary, "a.jsonl").write_text(written, encoding="utf-8", newline="\n")
        else:
            Path(temporary, "a.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8", newline="\n")
        found, files = read(QQ(), Path(temporary))
    assert [(one.author, one.content) for one in found] == [(n, typed) for n, typed, kind in said if kind in (0, 25)]
    assert files[0].messages == len(said)


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(ChatLab(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


def test_a_killed_export_gives_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(HEADER)}\n{json.dumps(GOOD)}\n{json.dumps(GOOD)[:50]}", "utf-8")
    messages, files = read(ChatLab(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.json", '{"messages": []}', "no chat of ChatLab"),
        ("a.json", "[]", "no chat of ChatLab"),
        ("a.json", '{"meta": 3, "messages": []}', "its head is not as expected"),
        ("a.json", '{"meta": {"name": 3}, "messages": []}', "its head is not as expected"),
        ("a.json", '{"session": {}, "messages": [{"senderID": 1}]}', "message 1: its time, sender or content"),
        ("a.json", '{"chatInfo": {}, "messages": [7]}', "message 1: its time, sender or content"),
        ("a.jsonl", '{"messages": [{"role": "user"}]}', "no chat of ChatLab"),
        ("a.jsonl", f"{json.dumps(HEADER)}\n{json.dumps({**GOOD, 'timestamp': 'x'})}", "message 1: its time"),
        ("a.jsonl", f"{json.dumps(HEADER)}\n{json.dumps({**GOOD, 'timestamp': 1e300})}", "message 1: its time"),
        ("a.jsonl", f"{json.dumps(HEADER)}\n{json.dumps({**GOOD, 'content': ['secret']})}", "message 1: its time"),
        ("a.jsonl", f"{json.dumps(HEADER)}\nsecret\n{json.dumps(GOOD)}", "line 2: no JSON object"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, name: str, content: str, found: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    message = error_of(ChatLab(), tmp_path)
    assert found in message
    assert name in message
    assert "secret" not in message


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    record = json.dumps({**GOOD, "content": "word " * 400})
    meta, member = {**META, "ownerId": "1"}, {"platformId": "1", "accountName": "Ana"}
    if name == "a.json":
        head = json.dumps({"meta": meta, "members": [member], "messages": []}).removesuffix("]}")
        parts = [head, ",".join([record] * 5_000), "]}"]
    else:
        heads = ({**HEADER, "meta": meta}, {"_type": "member", **member})
        parts = ["\n".join([*map(json.dumps, heads), *[record] * 5_000])]
    (tmp_path / name).write_text("".join(parts), encoding="utf-8")
    tracemalloc.start()
    try:
        assert sum(1 for _ in ChatLab().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20  # the file has 13 MiB
    finally:
        tracemalloc.stop()
