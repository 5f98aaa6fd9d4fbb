"""slackdump: what "slackdump dump" writes gives what the .json beside it says."""

import json
import tracemalloc
from pathlib import Path

import pytest
from conftest import examples
from export_cases import DAMAGE, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessor
from selfchatbot.preprocessors.reading.hints import hint_for_folder
from selfchatbot.preprocessors.signal import Signal
from selfchatbot.preprocessors.slack import Slack

EXPORTS = Path(__file__).parent / "slack_dump"
FILES = sorted(EXPORTS.glob("*/[CD]*.json"))
GOOD = {"type": "message", "user": "U1ROWAN", "text": "secret", "ts": "1736479000.000100"}


def dump(*messages: object, key: str = "DHYNUJ00Y", name: str = "") -> str:
    return json.dumps({"channel_id": key, "name": name, "messages": list(messages)})


def slack() -> Preprocessor:
    return Slack(username="rowan.vale")


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_dumps_give_what_was_typed(case: str) -> None:
    check_case(slack(), EXPORTS, case)


def test_it_recognises_its_own_and_says_where_it_belongs(tmp_path: Path) -> None:
    assert all(Slack.recognises(path, path.read_bytes()[:65536]) for path in FILES)
    (tmp_path / FILES[0].name).write_bytes(FILES[0].read_bytes())
    assert "looks like Slack" in str(hint_for_folder(Signal, tmp_path))


def test_without_tables_people_are_ids(tmp_path: Path) -> None:
    (tmp_path / "DHYNUJ00Y.json").write_text(dump(GOOD, {**GOOD, "user": "U2MOSS", "ts": "1736479001.000100"}))
    messages, files = read(Slack(username="U1ROWAN"), tmp_path)
    assert [one.author for one in messages] == ["U1ROWAN", "U2MOSS"]
    assert [(file.chat, file.group) for file in files] == [("DHYNUJ00Y", False)]


def test_answers_that_came_much_later_stand_in_their_place(tmp_path: Path) -> None:
    times = [f"17364{number:05}.000100" for number in range(1_000)]
    late = {**GOOD, "ts": "1736499999.000100", "thread_ts": times[0], "text": "late"}
    messages = [{**GOOD, "ts": ts} for ts in times]
    messages[0] = {**messages[0], "thread_ts": times[0], "slackdump_thread_replies": [late]}
    (tmp_path / "C051D4052.json").write_text(dump(*messages, key="C051D4052", name="general"))
    found, files = read(slack(), tmp_path)
    assert (found[-1].content, found[-1].reply_to, len(found)) == ("late", times[0], 1_001)
    assert [(file.chat, file.group) for file in files] == [("#general", True)]


@settings(max_examples=examples(80))
@given(said=st.lists(st.tuples(st.booleans(), text("<@U1>", ":smile:", "&amp;")), min_size=1, max_size=8))
def test_any_chat_comes_back_message_for_message(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[bool, str]]
) -> None:
    folder = tmp_path_factory.mktemp("dump")
    records = []
    for number, (mine, typed) in enumerate(said):
        escaped = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        user, blocks = "U1ROWAN" if mine else "U2MOSS", [{"type": "rich_text", "elements": []}]
        records.append({**GOOD, "user": user, "text": escaped, "ts": f"{1736479000 + number}.0", "blocks": blocks})
    (folder / "DHYNUJ00Y.json").write_text(dump(*records[::-1]), encoding="utf-8")
    messages, files = read(Slack(), folder)
    assert [(one.author == "U1ROWAN", one.content) for one in messages] == said
    assert files[0].messages == len(said)


@settings(max_examples=examples(120))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(slack(), file.parent, file, damage)


def test_a_dump_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "DHYNUJ00Y.json").write_text(dump(GOOD, {**GOOD, "ts": "1736479001.000100"})[:-30])
    messages, files = read(slack(), tmp_path)
    assert len(messages) == 1
    assert "cut short" in files[0].notes[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[]", "no chat of slackdump"),
        ('{"channel_id": "D", "messages": 3}', '"messages" is not a list'),
        (dump(7), "a message that is no object"),
        (dump({**GOOD, "slackdump_thread_replies": ["secret"]}), "a message that is no object"),
        (dump(GOOD, {**GOOD, "ts": "secret"}), 'message 2: "ts" is no time'),
    ],
)
def test_what_is_no_dump_is_one_line(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "DHYNUJ00Y.json").write_text(content, encoding="utf-8")
    error = error_of(slack(), tmp_path)
    assert found in error
    assert "DHYNUJ00Y.json" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.preprocessors.reading.sorter.ROWS", 2_000)  # few beside those of the file
    with (tmp_path / "DHYNUJ00Y.json").open("w", encoding="utf-8") as file:
        file.write(dump().removesuffix("]}"))
        for n in range(5_000):
            record = {**GOOD, "ts": f"{1_700_000_000 + n}.000100", "text": "word " * 400}
            file.write(f"{',' if n else ''}{json.dumps(record)}")
        file.write("]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in slack().read(tmp_path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # the file has 12 MiB
    finally:
        tracemalloc.stop()


def test_a_dump_in_its_folder_needs_no_hint() -> None:
    assert hint_for_folder(Slack, EXPORTS / "dump") is None
