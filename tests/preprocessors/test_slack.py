"""Slack: every export in slack/ gives what the .json beside it says, and so does what hypothesis writes."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.slack import Slack

EXPORTS = Path(__file__).parent / "slack"
FILES = sorted(EXPORTS.rglob("*/*.json"))
ME = {"english": "U1AAAAAAA", "german": None, "japanese": "佐藤花子"}


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(Slack(username=ME[case]), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["slack"] is Slack
    recognised = [path for path in FILES if Slack.recognises(path, path.read_bytes()[:65536])]
    assert {path.name for path in FILES} - {path.name for path in recognised} <= {
        *("channels.json", "groups.json", "dms.json", "mpims.json", "canvases.json", "integration_logs.json")
    }
    assert not Slack.recognises(Path("2024-01-05.json"), b'{"ts": "1"}')


@pytest.mark.parametrize("username", ["U1AAAAAAA", "rowan", "@Rowan", "Rowan Hill", "rowan hill"])
def test_i_am_found_by_id_and_by_any_of_my_names(username: str) -> None:
    files: list[ExportFile] = []
    slack = Slack(username=username)
    first = next(slack.read(EXPORTS / "english", files))
    assert files[0].me == "rowan" == first.author
    assert slack.is_me("rowan")
    assert not slack.is_me("Alex")


def test_a_surer_kind_of_name_wins() -> None:
    # "alex" is the user name of one and the display name of two.
    slack = Slack(username="alex")
    _, files = read(slack, EXPORTS / "english")
    assert {file.me for file in files} == {"Alex"}
    assert not slack.is_me("Alex (U3CCCCCCC)")


def test_a_display_name_like_my_user_name_is_somebody_else(tmp_path: Path) -> None:
    users = [
        {"id": "U1", "name": "rowan", "profile": {"display_name": "Ro"}},
        {"id": "U2", "name": "hill", "profile": {"display_name": "Rowan"}},
    ]
    day = [{"type": "message", "ts": f"{n}.0", "user": f"U{n}", "text": "hi"} for n in (1, 2)]
    (tmp_path / "general").mkdir()
    (tmp_path / "users.json").write_text(json.dumps(users), encoding="utf-8")
    (tmp_path / "general" / "2024-01-05.json").write_text(json.dumps(day), encoding="utf-8")
    slack = Slack(username="rowan")
    messages, _ = read(slack, tmp_path)
    assert [(one.author, slack.is_me(one.author)) for one in messages] == [("Ro", True), ("Rowan", False)]


def test_my_other_accounts_are_me(tmp_path: Path) -> None:
    messages, files = read(Slack(username="rowan", aliases=("alex2",)), EXPORTS / "english")
    assert {file.me for file in files} == {"rowan"}
    assert [one.author for one in messages if one.content in ("me too 😂 :partyparrot:", "waves")] == ["rowan"] * 2


def test_who_i_am_can_be_missing_or_unclear() -> None:
    message = error_of(Slack(username="rowam"), EXPORTS / "english")
    assert 'preprocessor_data.Slack.username": nobody is called "rowam"' in message
    assert "rowan" in message
    with pytest.raises(ParametersError, match=r"several members are called .*U1, U2"), TemporaryDirectory() as folder:
        users = [{"id": f"U{n}", "name": f"sam{n}", "profile": {"display_name": "Sam"}} for n in (1, 2)]
        Path(folder, "users.json").write_text(json.dumps(users), encoding="utf-8")
        Path(folder, "general").mkdir()
        Path(folder, "general", "2024-01-05.json").write_text("[]", encoding="utf-8")
        read(Slack(username="Sam"), Path(folder))


def test_without_direct_messages_there_is_a_hint() -> None:
    for case, hints in (("english", 1), ("german", 0), ("japanese", 0)):
        _, files = read(Slack(username=ME[case]), EXPORTS / case)
        notes = [note for file in files for note in file.notes]
        assert len(notes) == hints
        assert all("no direct messages" in note for note in notes)


def test_a_day_alone_is_read_with_the_names_of_its_workspace() -> None:
    messages, files = read(Slack(), EXPORTS / "german" / "D1KATHE00" / "2024-01-01.json")
    assert [one.content for one in messages] == ["Dir auch, @Käthe! Um 10:00:00 Uhr Sekt :on: dem Balkon"]
    assert [(file.chat, file.me) for file in files] == [("Käthe", "Jürgen Müller")]


def pack(case: str, archive: Path) -> None:
    """An export as Slack sends it."""
    shutil.make_archive(str(archive), "zip", next(path for path in (EXPORTS / case).rglob("users.json")).parent)


def test_chats_of_two_workspaces_are_told_apart(tmp_path: Path) -> None:
    pack("english", tmp_path / "acme")
    pack("japanese", tmp_path / "tokyo")
    messages, _ = read(Slack(username="rowan", aliases=("hanako",)), tmp_path)
    assert {one.chat for one in messages} == {
        *("acme.zip: #general", "acme.zip: #random", "tokyo.zip: #雑談", "tokyo.zip: ren")
    }


def test_what_two_exports_of_a_workspace_share_counts_once(tmp_path: Path) -> None:
    for name in ("2024-02", "2024-01"):
        pack("english", tmp_path / name)
    early = tmp_path / "early"
    shutil.copytree(EXPORTS / "english", early)
    day = next(early.rglob("general/2024-01-06.json"))
    day.write_text(json.dumps(json.loads(day.read_text(encoding="utf-8"))[:2]), encoding="utf-8")
    messages, files = read(Slack(username="rowan"), tmp_path)
    alone, files_alone = read(Slack(username="rowan"), EXPORTS / "english")
    assert messages == alone
    assert [one.messages for one in files] == [one.messages for one in files_alone]


def test_of_two_exports_the_last_edit_counts(tmp_path: Path) -> None:
    sent = {"type": "message", "ts": "1700000010.5", "user": "U1"}
    edited = {**sent, "text": "at 8", "edited": {"user": "U1", "ts": "1700000090.0"}}
    for folder, message in (("a", {**sent, "text": "at 7"}), ("b", edited), ("c", {**sent, "text": "at 7"})):
        (tmp_path / folder / "general").mkdir(parents=True)
        (tmp_path / folder / "users.json").write_text('[{"id": "U1", "team_id": "T1"}]', encoding="utf-8")
        (tmp_path / folder / "general" / "2023-11-14.json").write_text(json.dumps([message]), encoding="utf-8")
    assert [one.content for one in read(Slack(username="U1"), tmp_path)[0]] == ["at 8"]


@pytest.mark.parametrize("turned", [False, True])
def test_the_times_tell_the_order_of_a_day(tmp_path: Path, turned: bool) -> None:
    times = [f"17000000{second:02}.{digits}" for second in range(10, 60) for digits in ("000100", "000200")]
    day = [{"type": "message", "ts": ts, "user": "U1", "text": ts} for ts in times]
    written = day[::-1] if turned else [*day[1:9], day[0], *day[9:]]
    (tmp_path / "one" / "general").mkdir(parents=True)
    (tmp_path / "one" / "general" / "2023-11-14.json").write_text(json.dumps(written), encoding="utf-8")
    # Another export, made later, has a few of them and one more.
    later = [*day[50:90], {"type": "message", "ts": "1700000030.5", "user": "U1", "text": "late"}]
    (tmp_path / "two" / "general").mkdir(parents=True)
    (tmp_path / "two" / "general" / "2023-11-14.json").write_text(json.dumps(later), encoding="utf-8")
    for folder in ("one", "two"):
        (tmp_path / folder / "users.json").write_text('[{"id": "U1", "team_id": "T1"}]', encoding="utf-8")
    messages, _ = read(Slack(username="U1"), tmp_path)
    assert [one.content for one in messages] == [*times[:42], "late", *times[42:]]


class Sent(NamedTuple):
    """A message, or an event that nobody typed."""

    seconds: int
    sender: int
    text: str
    mention: int | None
    emoji: bool
    answers: int | None
    subtype: str | None


PEOPLE = {"U01": "rowan", "U02": "Anna", "U03": "花子 🦊"}
SENT = st.builds(
    Sent,
    seconds=st.integers(0, 10**6),
    sender=st.integers(0, 2),
    text=text("<@U01>", "&lt;b&gt; &amp;amp;", ":smile: 12:30:45", "a|b>c", "```\ncode\n```", "{Attachments}"),
    mention=st.one_of(st.none(), st.integers(0, 2)),
    emoji=st.booleans(),
    answers=st.one_of(st.none(), st.integers(1, 3)),
    subtype=st.sampled_from((None, None, None, "thread_broadcast", "channel_join", "bot_message", "tombstone")),
)
SILENT = ("channel_join", "bot_message", "tombstone")


@settings(max_examples=examples(60))
@given(
    chat=st.lists(SENT, min_size=1, max_size=10), direct=st.booleans(), names=st.lists(NAMES, min_size=3, max_size=3)
)
def test_any_chat_comes_back_message_for_message(chat: list[Sent], direct: bool, names: list[str]) -> None:
    ids = list(PEOPLE)
    days: dict[str, list[dict[str, object]]] = {}
    stamps: list[str] = []
    expected = []
    time = datetime(2019, 12, 31, 23, 0)
    for index, sent in enumerate(chat):
        time += timedelta(seconds=sent.seconds, microseconds=1)
        seconds, rest = divmod(time - datetime(1970, 1, 1), timedelta(seconds=1))
        stamps.append(f"{seconds}.{rest.microseconds:06}")
        answers = stamps[index - sent.answers] if sent.answers is not None and sent.answers <= index else None
        written = sent.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        typed, elements = sent.text, [{"type": "text", "text": sent.text}]
        if sent.mention is not None:
            written, typed = f"<@{ids[sent.mention]}> {written}", f"@{PEOPLE[ids[sent.mention]]} {typed}"
        if sent.emoji:
            written, typed = f"{written} :wave::skin-tone-2:", f"{typed} 👋🏻"
            elements.append({"type": "emoji", "name": "wave", "unicode": "1f44b-1f3fb", "skin_tone": 2})  # type: ignore[dict-item]
        entry: dict[str, object] = {"type": "message", "user": ids[sent.sender], "text": written, "ts": stamps[-1]}
        entry["blocks"] = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}]
        if sent.subtype:
            entry["subtype"] = sent.subtype
        if answers:
            entry["thread_ts"] = answers
        elif index % 2:
            entry["thread_ts"] = stamps[-1]  # the message that a thread begins with
        days.setdefault(f"{time:%Y-%m-%d}", []).append(entry)
        if sent.subtype not in SILENT:
            expected.append((time, PEOPLE[ids[sent.sender]], typed, stamps[-1], answers))
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder = root / ("D0123" if direct else "general")
        folder.mkdir()
        users = [{"id": key, "name": key.lower(), "profile": {"display_name": name}} for key, name in PEOPLE.items()]
        (root / "users.json").write_text(json.dumps(users), encoding="utf-8")
        table = {"dms.json": [{"id": "D0123", "members": ids}], "channels.json": [{"id": "C1", "name": "general"}]}
        for name, value in table.items():
            (root / name).write_text(json.dumps(value), encoding="utf-8")
        for day, entries in days.items():
            (folder / f"{day}.json").write_text(json.dumps(entries, ensure_ascii=len(days) % 2 == 0), encoding="utf-8")
        messages, files = read(Slack(username="rowan"), root)
    assert [(one.timestamp, one.author, one.content, one.id, one.reply_to) for one in messages] == expected
    assert [(one.messages, one.me) for one in files] == [(len(chat), "rowan")]


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Slack(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


GOOD = '{"type": "message", "user": "U1", "text": "secret", "ts": "1704475812.000002"}'


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "is cut short"),
        ('{"messages": []}', "expected a JSON list"),
        (f"[{GOOD}", "is cut short"),
        (f"[{GOOD}] x", "no valid JSON"),
        (f'[{GOOD}, {{"text": "secret}}]', "is cut short"),
        (f"[{GOOD}, {{secret}}]", "near byte"),
        (f"[{GOOD}, 5]", "entry 2: expected an object"),
        ('[{"type": "message", "text": "secret", "ts": 1704475812.5}]', 'message 1: "ts"'),
        ('[{"type": "message", "text": "secret", "ts": "99999999999.0"}]', None),
        ('[{"type": "message", "text": "secret", "ts": "999999999999999.0"}]', 'message 1: "ts"'),
        ('[{"type": "message", "text": "secret", "ts": "-5"}]', 'message 1: "ts"'),
        ('[{"type": "message", "text": "secret"}]', 'message 1: "ts"'),
        ('[{"type": "message", "ts": "1", "user": {}, "text": [], "subtype": []}]', None),
        ("[" * 100_000, "nested deeper than 64"),
    ],
)
def test_a_bad_day_is_one_line(tmp_path: Path, content: str, found: str | None) -> None:
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "2024-01-05.json").write_text(content, encoding="utf-8")
    if found is None:
        assert read(Slack(), tmp_path)[0] == []
        return
    message = error_of(Slack(), tmp_path)
    assert found in message
    assert "2024-01-05.json" in message
    assert "secret" not in message


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "general").mkdir()
    day = tmp_path / "general" / "2024-01-05.json"
    day.write_bytes(f"[{GOOD}]".encode("utf-16"))
    assert "UTF-16" in error_of(Slack(), tmp_path)
    day.write_bytes(f"[{GOOD}]".replace("secret", "é").encode("latin-1"))
    assert "not UTF-8" in error_of(Slack(), tmp_path)
    day.write_bytes(f"[{GOOD}]".encode("utf-8-sig"))
    assert [one.content for one in read(Slack(), tmp_path)[0]] == ["secret"]
