"""Signal: every export in signal/ gives what the .json beside it says, and so does what hypothesis writes."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.signal import Signal

EXPORTS = Path(__file__).parent / "signal"
FILES = sorted(
    path
    for path in EXPORTS.rglob("*")
    if path.parent.name != "files" and path.name in ("chat.md", "index.md", "data.json", "Zoë.md", "main.jsonl")
)
TRAPS = (
    "[2024-01-04 10:00:00] Bob: pasted",
    "(- Anna: ❤ -)",
    "(( 🐺 ))",
    "![a](./media/a)",
    "[🐺](../exported_stickers/p/1.webp)",
    "(media not exported)",
    "> quoted",
    "(This message was deleted)",
    "Me: ratio 3: 4",
    "{Attachments}",
)


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(Signal(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["signal"] is Signal
    for path in FILES:
        assert Signal.recognises(path, path.read_bytes()[:65536]), path
    assert not Signal.recognises(Path("result.json"), b'{"name": "Anna", "type": "personal_chat"}')
    assert not Signal.recognises(Path("notes.md"), b"# Notes\n")


def test_i_am_known_before_the_first_message() -> None:
    files: list = []
    next(Signal().read(EXPORTS / "english", files))
    assert files[0].me == "Me"


def test_the_last_line_of_a_native_export_may_be_cut(tmp_path: Path) -> None:
    whole = (EXPORTS / "native" / "signal-export-2026-05-23" / "main.jsonl").read_bytes()
    (tmp_path / "main.jsonl").write_bytes(whole[: whole.index(b"see you at six")])
    messages, files = read(Signal(), tmp_path)
    assert [message.content for message in messages][-3:] == [
        "a little late",
        "hi there",
        "hi @unknown and @Moss Green",
    ]
    assert files[0].notes == ["the export is cut short: export it again for the rest"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "line 2: no JSON object"),
        ('{"chatItem": \n{}', "line 2: no valid JSON"),
        ('{"chatItem": {"dateSent": "soon"}}', 'line 2: a "chatItem" whose "dateSent"'),
        ('{"chatItem": {"dateSent": "9999999999999999"}}', 'line 2: a "chatItem" whose "dateSent"'),
        ('{"chatItem": {"dateSent": "1", "standardMessage": {"text": {"body": 5}}}}', 'line 2: a "text" whose "body"'),
    ],
)
def test_what_a_native_export_does_not_hold_is_one_line(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "main.jsonl").write_text(f'{{"version": "1", "backupTimeMs": "1"}}\n{line}\n', encoding="utf-8")
    assert reason in error_of(Signal(), tmp_path)


class Sent(NamedTuple):
    """A message, and what hangs on it."""

    seconds: int
    sender: str
    text: str
    quote: str
    reaction: bool
    sticker: str
    attachments: list[str]
    silent: str
    """``deleted``, ``call`` or nothing: messages in which nobody typed anything."""


SENT = st.builds(
    Sent,
    seconds=st.integers(0, 10**6),
    sender=st.one_of(st.just("Me"), NAMES),
    text=text(*TRAPS),
    quote=st.one_of(st.just(""), text(*TRAPS)),
    reaction=st.booleans(),
    sticker=st.sampled_from(("", "", "emoji", "link")),
    attachments=st.lists(st.sampled_from(("a.png", "b_(1).jpg", "IMG 2.png", "liste[1].pdf")), max_size=2),
    silent=st.sampled_from(("", "", "", "deleted", "call")),
)


def expected(chat: list[Sent], start: datetime) -> list[tuple[datetime, str, str]]:
    times = start
    rows = []
    for sent in chat:
        times += timedelta(seconds=sent.seconds)
        if not sent.silent:
            rows.append((times, sent.sender, sent.text))
    return rows


def as_markdown(chat: list[Sent], start: datetime) -> str:
    """As the exporter's ``to_md`` writes it."""
    out = []
    time = start
    for sent in chat:
        time += timedelta(seconds=sent.seconds)
        head = f"[{time:%Y-%m-%d %H:%M:%S}] {sent.sender}: "
        if sent.silent == "deleted":
            out.append(f"{head}(This message was deleted)\n\n")
            continue
        body = f"{'Missed voice call' if sent.silent else sent.text}  "
        if sent.quote and not sent.silent:
            body = "\n\n> " + sent.quote.replace("\n", "\n> ") + "\n\n" + body
        if sent.reaction:
            body += "\n(- Me: 👍, Anna: ❤️ -)"
        if sent.sticker == "emoji":
            body += "\n(( 🐺 ))"
        elif sent.sticker:
            body += "[🐺](../exported_stickers/9acc/3.webp)  "
        for name in sent.attachments:
            body += f"{'!' if name.endswith('g') else ''}[{name}](./media/{name.replace(' ', '%20')})  "
        out.append(f"{head}{body}\n\n")
    return "".join(out)


def as_json(chat: list[Sent], start: datetime) -> str:
    out = []
    time = start
    for sent in chat:
        time += timedelta(seconds=sent.seconds)
        body = {"": sent.text + "  ", "deleted": "", "call": "Incoming call  "}[sent.silent]
        values = {"date": time.isoformat(), "sender": sent.sender, "body": body, "quote": sent.quote, "reactions": []}
        flags = {"deleted": sent.silent == "deleted", "call": sent.silent == "call"}
        out.append(json.dumps({**values, **flags}, ensure_ascii=False) + "\n")
    return "".join(out)


@settings(max_examples=examples(80))
@given(chat=st.lists(SENT, min_size=1, max_size=8), file=st.sampled_from(("chat.md", "data.json")))
def test_any_chat_comes_back_message_for_message(chat: list[Sent], file: str) -> None:
    # A pasted message below a typed notice is what an export without blank lines looks like.
    assume(not any("(This message was deleted)\n[" in sent.text + sent.quote for sent in chat))
    start = datetime(2020, 2, 28, 23, 0)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "Anna")
        folder.mkdir()
        written = as_markdown(chat, start) if file == "chat.md" else as_json(chat, start)
        (folder / file).write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(Signal(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == expected(chat, start)
    assert files[0].messages == len(chat)


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Signal(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"date": "2024-01-05T10:00:00", "sender": "Me"', "line 2: expected one JSON object per line"),
        ('["secret"]', "line 2: expected one JSON object per line"),
        ("[" * 100_000, "line 2: expected one JSON object per line"),
        ('{"date": "05.01.2024", "sender": "Me", "body": "secret  "}', '"date" (ISO 8601)'),
        ('{"date": "2024-01-05T10:00:00", "sender": "Me", "body": 5}', '"body"'),
        ('{"date": "2024-13-05T10:00:00", "sender": "Me", "body": "secret  "}', '"date" (ISO 8601)'),
    ],
)
def test_a_bad_data_json_is_one_line(tmp_path: Path, line: str, found: str) -> None:
    good = '{"date": "2024-01-05T10:00:00", "sender": "Me", "body": "secret  "}'
    (tmp_path / "data.json").write_text(f"{good}\n{line}\n", encoding="utf-8")
    message = error_of(Signal(), tmp_path)
    assert found in message
    assert "data.json" in message
    assert "secret" not in message


def test_dates_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    chat = (
        "[2024-01-05 18:30:12] Moss: hi  \n\n[2024-01-35 18:30:15] Me: lost  \n\n[2024-01-05 18:30:20] Moss: ok  \n\n"
    )
    (tmp_path / "Moss").mkdir()
    (tmp_path / "Moss" / "chat.md").write_text(chat, encoding="utf-8")
    messages, files = read(Signal(), tmp_path)
    assert [one.timestamp.second for one in messages] == [12, 20]
    assert files[0].notes == ["1 line looks like the beginning of a message but can't be read, the first is line 3"]


def test_a_markdown_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# secret\n\ntext\n", encoding="utf-8")
    message = error_of(Signal(), tmp_path)
    assert "notes.md" in message
    assert "no message of signal-export" in message
    assert "secret" not in message
    (tmp_path / "notes.md").write_bytes("[2024-01-05 10:00:00] Me: x  \n\n".encode("utf-16"))
    assert "UTF-16" in error_of(Signal(), tmp_path)


def test_an_empty_chat_is_no_error(tmp_path: Path) -> None:
    # --include-empty writes such files.
    for name in ("data.json", "chat.md"):
        (tmp_path / name).write_bytes(b"")
        assert read(Signal(), tmp_path)[0] == []
        (tmp_path / name).unlink()


def test_an_edited_message_keeps_its_place_and_its_answers(tmp_path: Path) -> None:
    """What was sent at 1 s and edited at 61 s, and then answered, in exports before and after that."""

    def item(text: str, sent: int, author: str = "2", **more: object) -> dict[str, object]:
        return {
            "chatId": "1",
            "authorId": author,
            "dateSent": str(sent),
            "standardMessage": {"text": {"body": text}, **more},
        }

    frames: list[dict[str, object]] = [
        {"account": {"givenName": "Rowan"}},
        {"recipient": {"id": "1", "self": {}}},
        {"recipient": {"id": "2", "contact": {"profileGivenName": "Moss"}}},
        {"chat": {"id": "1", "recipientId": "2"}},
    ]
    answer = item("yes", 90_000, "1", quote={"targetSentTimestamp": "61000", "authorId": "2"})
    edited = item("at 8?", 61_000) | {"revisions": [item("at 7?", 1_000), item("at 7:30?", 30_000)]}
    for name, items in (("before", [item("at 7?", 1_000)]), ("after", [edited, item("hi", 40_000, "1"), answer])):
        (tmp_path / name).mkdir()
        lines = [*frames, *({"chatItem": one} for one in items)]
        (tmp_path / name / "main.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    first, before, hi, yes = sorted(read(Signal(), tmp_path)[0], key=lambda one: one.timestamp)
    assert {(one.id, one.edited, one.content) for one in (first, before)} == {
        ("1000 Moss", 0, "at 7?"),
        ("1000 Moss", 61, "at 8?"),
    }
    assert first.timestamp == before.timestamp < hi.timestamp
    assert yes.reply_to == "1000 Moss"


@pytest.mark.parametrize("sent", ["", "x", "9" * 20, "9" * 5000])
def test_a_time_that_is_none_is_one_line(tmp_path: Path, sent: str) -> None:
    (tmp_path / "main.jsonl").write_text(json.dumps({"chatItem": {"dateSent": sent}}), encoding="utf-8")
    assert 'main.jsonl, line 1: a "chatItem" whose "dateSent"' in error_of(Signal(), tmp_path)


def test_two_exports_of_one_chat_follow_one_another(tmp_path: Path) -> None:
    for year in (2023, 2024):
        for name in ("Anna", "Zed"):
            folder = tmp_path / str(year) / name
            folder.mkdir(parents=True)
            (folder / "chat.md").write_text(f"[{year}-01-05 10:00:00] Me: hi  \n\n", encoding="utf-8")
    messages, _ = read(Signal(), tmp_path)
    assert [(one.chat, one.timestamp.year) for one in messages] == [
        ("Anna", 2023),
        ("Anna", 2024),
        ("Zed", 2023),
        ("Zed", 2024),
    ]
