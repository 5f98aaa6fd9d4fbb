"""IRC: the logs in irc/ give the messages in the .json beside them, and so do those that hypothesis writes."""

import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from export_cases import check_typed, typed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.irc import IRC

EXPORTS = Path(__file__).parent / "irc"


def read(path: Path, **options: object) -> tuple[list[tuple[str, str, str, str]], list[ExportFile]]:
    return typed(IRC(**options), path)


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_logs_give_what_was_typed(case: str) -> None:
    check_typed(IRC(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own_also_in_a_zip(tmp_path: Path) -> None:
    assert Preprocessors["irc"] is IRC
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        for path in (path for path in (EXPORTS / "znc").rglob("*.log") if path.stat().st_size):
            assert IRC.recognises(path, path.read_bytes()[:65536]), path
            archive.write(path, path.relative_to(EXPORTS / "znc"))
    assert read(tmp_path)[0] == read(EXPORTS / "znc")[0]
    other = tmp_path / "other.txt"
    other.write_text("[05.01.23, 15:04:12] Ann: <b> hi\n")
    assert not IRC.recognises(other, other.read_bytes())


def test_changes_of_my_nick_keep_me_one_author(tmp_path: Path) -> None:
    log = tmp_path / "#c.2024-01-02.log"
    log.write_text(
        "[10:00:00] <sam> one\n"
        "[10:01:00] *** sam is now known as sam_afk\n"
        "[10:02:00] <sam_afk> two\n"
        "[10:03:00] *** kim is now known as sam\n"
        "[10:04:00] *** sam_afk is now known as sammy\n"
        "[10:05:00] <sammy> three\n"
        "[10:06:00] *** Quits: sammy (s@h) (bye)\n"
        "[10:07:00] <sammy> somebody else\n"
    )
    assert [(author, text) for *_, author, text in read(tmp_path, username="Sam")[0]] == [
        ("sam", "one"),
        ("sam", "two"),
        ("sam", "three"),
        ("sammy", "somebody else"),
    ]
    assert [author for *_, author, _ in read(tmp_path, username="kim")[0]] == ["sam", "sam_afk", "sammy", "sammy"]


@pytest.mark.parametrize(
    ("username", "authors", "me"),
    [("rowan", ["moss", "rowan", "rowan"], None), (None, ["moss", "rowan", "rowan_away"], None)],
)
def test_the_log_says_who_i_become_but_not_who_i_was(
    tmp_path: Path, username: str | None, authors: list[str], me: str | None
) -> None:
    log = tmp_path / "#c.2024-01-02.log"
    lines = ["10:00 <moss> a", "10:01 <rowan> b", "10:02 -!- You're now known as rowan_away", "10:03 <rowan_away> c"]
    log.write_text("\n".join(lines) + "\n")
    messages, files = read(tmp_path, username=username)
    assert [author for *_, author, _ in messages] == authors
    assert files[0].me == me
    # Once I am back, it does.
    log.write_text("\n".join([*lines, "10:04 -!- You're now known as rowan", "10:05 <rowan> d"]) + "\n")
    messages, files = read(tmp_path)
    assert [author for *_, author, _ in messages] == ["moss", "rowan", "rowan", "rowan"]
    assert files[0].me == "rowan"


def test_an_unknown_month_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "#c.log").write_text("--- Day changed Wed Jan 03 2024\n10:02 <ann> y\n--- Day changed H márc 04 2024\n")
    with pytest.raises(ExportError, match=r'#c\.log, line 3: "márc" is no month'):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("#c.log", b"dear diary\n", "no message of IRC"),
        ("#c.log", b"", "no message of IRC"),
        ("#c.log", b"10:01 <ann> no day\n", "nothing tells its day"),
        ("#c.2024-13-01.log", b"10:01 <ann> no day\n", "nothing tells its day"),
        ("#c.2024-01-01.log", b"10:01 <ann> x\n10:02 <ann> \0\n", "line 2"),
        ("#c.2024-01-01.log", "10:01 <ann> x\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_log_is_one_line(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=reason) as caught:
        read(tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lines_before_the_first_day_are_said(tmp_path: Path) -> None:
    (tmp_path / "#c.log").write_text("10:01 <ann> x\n--- Day changed Wed Jan 03 2024\n10:02 <ann> y\n")
    messages, files = read(tmp_path)
    assert messages == [("#c", "2024-01-03T10:02:00", "ann", "y")]
    assert any("before the first day" in note for note in files[0].notes)


# Below: an independent writer. It shares no code and no tables with the parser.

nicks = st.from_regex(r"[A-Za-z_\[\]\\`^{}|][A-Za-z0-9_\[\]\\`^{}|-]{0,11}", fullmatch=True)
letters = st.characters(blacklist_categories=("Cs", "Cc"))
words = st.text(letters, min_size=1, max_size=60).filter(lambda text: not text.isspace())
NAMES = {"irssi": "#c.log", "weechat": "irc.net.#c.weechatlog", "mirc": "#c.log", "znc": "user_net_#c_20231231.log"}
NAMES |= {"hexchat": "#c.log", "thelounge": "#c.log"}


def written(client: str, messages: list[tuple[datetime, str, str, bool]]) -> str:
    start = messages[0][0]
    lines = {
        "irssi": [f"--- Log opened {start:%a %b %d %H:%M:%S %Y}"],
        "hexchat": [f"**** BEGIN LOGGING AT {start:%a %b} {start.day:2} {start:%H:%M:%S %Y}", ""],
        "mirc": ["", f"Session Start: {start:%a %b %d %H:%M:%S %Y}", "Session Ident: #c"],
    }.get(client, [])
    day = start.date()
    for time, nick, text, action in messages:
        if time.date() != day:
            day = time.date()
            lines += {
                "irssi": [f"--- Day changed {time:%a %b %d %Y}"],
                "mirc": [f"Session Time: {time:%a %b %d %H:%M:%S %Y}"],
            }.get(client, [])
        said, done = {
            "irssi": (f"{time:%H:%M} <@{nick}> {text}", f"{time:%H:%M}  * {nick} {text}"),
            "weechat": (f"{time:%Y-%m-%d %H:%M:%S}\t+{nick}\t{text}", f"{time:%Y-%m-%d %H:%M:%S}\t *\t{nick} {text}"),
            "mirc": (f"[{time:%H:%M}] <%{nick}> {text}", f"[{time:%H:%M}] * {nick} {text}"),
            "znc": (f"[{time:%H:%M:%S}] <{nick}> {text}", f"[{time:%H:%M:%S}] * {nick} {text}"),
            "hexchat": (f"{time:%b %d %H:%M:%S} <{nick}>\t{text}", f"{time:%b %d %H:%M:%S} *\t{nick} {text}"),
            "thelounge": (f"[{time.isoformat()}.123Z] <@{nick}> {text}", f"[{time.isoformat()}.123Z] * @{nick} {text}"),
        }[client]
        lines.append(done if action else said)
    return "\n".join(lines) + "\n"


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    client=st.sampled_from(sorted(NAMES)),
    people=st.lists(nicks, min_size=3, max_size=3, unique_by=str.casefold),
    rows=st.lists(st.tuples(words, st.integers(0, 2), st.booleans(), st.integers(0, 5000)), min_size=1, max_size=12),
)
def test_any_log_comes_back_message_for_message(
    tmp_path_factory: pytest.TempPathFactory,
    client: str,
    people: list[str],
    rows: list[tuple[str, int, bool, int]],
) -> None:
    time = datetime(2023, 12, 31, 6, 30)
    # Everybody says something, so that everybody's actions are known from the client's own lines.
    messages = [(time, nick, "hello", False) for nick in people]
    for text, person, action, step in rows:
        time += timedelta(seconds=step)
        messages.append((time, people[person], text, action))
    path = tmp_path_factory.mktemp("logs") / NAMES[client]
    path.write_bytes(written(client, messages).encode())
    found, files = read(path)
    assert found == [
        (
            "#c",
            (time.replace(second=0) if client in ("irssi", "mirc") else time).isoformat(),
            nick,
            f"/me {text}" if action else text,
        )
        for time, nick, text, action in messages
    ]
    assert files[0].messages == len(messages)


def test_the_actions_of_a_log_in_another_language_are_not_told_from_its_events(tmp_path: Path) -> None:
    for begins, texts in (("BEGIN LOGGING AT", ["hi", "/me waves"]), ("BEGINN DER PROTOKOLLIERUNG AM", ["hi"])):
        lines = [f"**** {begins} Fri Mar  1 10:00:00 2024", "Mar 01 10:00:01 <ann>\thi", "Mar 01 10:00:02 *\tann waves"]
        (tmp_path / "#c.log").write_text("\n".join([*lines, "Mar 01 10:00:03 *\tann has quit (bye)"]))
        assert [text for *_, text in read(tmp_path)[0]] == texts


@settings(max_examples=examples(150))
@given(data=st.data())
def test_damaged_files_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(path for path in EXPORTS.rglob("*log") if path.stat().st_size)))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), start + data.draw(st.integers(0, 100)))
        content[start:end] = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(content[end : end + 40]))))
    path = tmp_path_factory.mktemp("damaged") / source.name
    path.write_bytes(content)
    try:
        for _, time, author, text in read(path)[0]:
            assert time and author and text
    except SelfChatBotError as error:
        assert "\n" not in str(error)
