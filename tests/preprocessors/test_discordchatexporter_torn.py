"""DiscordChatExporter's text: exports that are torn, pasted or damaged."""

import random
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from discord_writer import RULE, Sent, en_us, export, invariant, sv_se, unix
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_discordchatexporter import FILES, START, chat, of, read, typed
from test_discordchatexporter_sections import TEXT, sent

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import ExportFile
from selfchatbot.preprocessors.reading import lines


def test_no_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a", "b"), end=False))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b"))
    assert files[0].notes == ["no last line with the count: the export was cut short"]


@pytest.mark.parametrize("version", ["2.47", "2.36", "2.19"])
def test_cut_off_anywhere(tmp_path: Path, version: str) -> None:
    messages = [
        Sent(START, "rowan", "first\n\nof äöü 🧗 all"),
        Sent(START, "moss", "second", attachments=["https://cdn.discordapp.com/a/b.png"], reactions=["👍 (2)", "wave"]),
        Sent(START, "rowan", "third", embeds=[["https://example.org", "text\n\nmore"]], stickers=["https://d.com/1"]),
        Sent(START, "moss", "fourth", forwarded="{what}\n\never", pinned=True),
        Sent(START, "rowan", "last"),
    ]
    whole, expected = export(messages, version), of(messages)
    path = tmp_path / "a.txt"
    for length in range(whole.index(b"\n\n[") + 2, len(whole)):
        path.write_bytes(whole[:length])
        try:
            found = typed(path)
        except ExportError:
            assert length < whole.index(b"] rowan") + 3, length  # there is no message yet
            continue
        assert found[:-1] == expected[: len(found)][:-1], length
        for (time, author, content), (true_time, true_author, true_content) in zip(found, expected, strict=False):
            assert (time, author) == (true_time, true_author), length
            assert true_content.startswith(content), length


def test_pieces_without_head_and_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    whole = export(chat("a", "b", "c")).decode()
    path.write_text(whole[whole.index("[") : whole.rindex(RULE, 0, -70)])
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b", "c"))
    assert files[0].notes == []


def test_an_export_behind_other_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"my old chats\n\nwith notes [sic]\n\n" + export(chat("a", "b")))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("a", "b"))
    assert files[0].notes == []


@pytest.mark.parametrize("between", [b"", b"\n", b"\n\n\n"])
def test_exports_one_behind_the_other(tmp_path: Path, between: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(between.join([export(chat("a", "b")), export(chat("c", "d")), export(chat("e"))]))
    files: list[ExportFile] = []
    assert [content for _, _, content in typed(path, files)] == list("abcde")
    assert (files[0].declared, files[0].notes) == (5, [])


def test_exports_without_counts_one_behind_the_other_are_no_pasted_logs(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    pieces = [chat(*"abcdef", step=timedelta(days=3)), chat(*"ghijkl", step=timedelta(days=5))]
    path.write_bytes(b"".join(export(piece, end=False) for piece in pieces))
    assert typed(path) == of(pieces[0]) + of(pieces[1])


@pytest.mark.parametrize("end", [True, False])
def test_a_damaged_head_does_not_hide_the_messages(tmp_path: Path, end: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("a", "b"), end=end).replace(f"\n{RULE}\n\n[".encode(), b"\n\n[", 1))
    with pytest.raises(ExportError, match=r'a\.txt: the line of 62 "="'):
        typed(path)


def test_a_torn_head_is_an_unfinished_export(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{RULE}\nGuild: g\nChan")
    files: list[ExportFile] = []
    assert typed(path, files) == []
    assert files[0].notes == ["no last line with the count: the export was cut short"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"dear diary\n\nnothing here", "no plain text of DiscordChatExporter (there is no message in it)"),
        (
            b"[05.01.23, 15:04:05] moss: my diary\n[05.01.23, 15:04:06] moss: hi\n[05.01.23, 15:04:07] a: b",
            "blank lines",
        ),
        ("[1/5/2023 3:04 PM] moss\nhi".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04\0\0\0", "NUL"),
        (b"[1/5/2023 3:04 PM] moss\nhi\nth\xe9 end\n", "line 3: byte 3 is not UTF-8"),
    ],
    ids=range(8),
)
def test_no_export(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ExportError) as error:
        typed(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "diary" not in str(error.value)


def log(*lines: tuple[datetime, str, str], gap: int = 2) -> str:
    return "".join(f"[{sv_se(time)}] {author}\n{text}\n" + "\n" * gap for time, author, text in lines).strip()


LONG_AGO = START - timedelta(days=300)

OLD_LOG = "look at this\n\n\n" + log((LONG_AGO, "kai", "so"), (LONG_AGO + timedelta(minutes=2), "moss", "what?"))


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_log_of_other_days_is_text(tmp_path: Path, end: bool, newest_first: bool) -> None:
    messages = chat("a", "b", OLD_LOG, "d", "e", step=timedelta(hours=3))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages[::-1] if newest_first else messages, end=end))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].messages == 5
    assert files[0].notes[0] == "2 message header(s) inside other messages read as pasted text"


def test_a_log_at_the_end_is_text_when_the_count_says_so(tmp_path: Path) -> None:
    messages = chat("a", "b", OLD_LOG)
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    assert typed(path) == of(messages)


@pytest.mark.parametrize(
    "lines",
    [
        [(START - timedelta(hours=5), "moss", "some hours ago"), (START - timedelta(hours=5), "rowan", "yes")],
        [(START - timedelta(minutes=3), "moss", "some minutes ago")],
        [(START + timedelta(minutes=7), "kai", "an author that nobody saw")],
    ],
)
def test_smaller_jumps_and_unseen_authors_are_text_when_the_count_says_so(
    tmp_path: Path, lines: list[tuple[datetime, str, str]]
) -> None:
    messages = chat("a", f"look\n\n\n{log(*lines)}", "c", "d", "e")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == [f"{len(lines)} message header(s) inside other messages read as pasted text"]


def test_a_log_with_one_blank_line_is_text_where_two_stand_between_messages(tmp_path: Path) -> None:
    messages = chat("a", "look\n\n" + log(*((START, "moss", str(n)) for n in range(20)), gap=1), "c")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == []


def test_a_log_with_another_form_of_date_is_text(tmp_path: Path) -> None:
    messages = chat("a", "look\n\n\n[1/5/2023 3:04 PM] moss\nhello\n\n\n[1/5/2023 3:05 PM] kai\nhi", "c", "d", "e")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, end=False))
    assert typed(path) == of(messages)


def test_what_only_the_author_can_tell_is_reported(tmp_path: Path) -> None:
    messages = chat("a", f"look\n\n\n{log((START + timedelta(minutes=6), 'moss', 'plausible'))}", "c", "d")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert len(typed(path, files)) == 5
    assert files[0].notes == ["the export states 4 messages, 5 were found"]


def test_people_who_write_once_are_no_pasted_logs(tmp_path: Path) -> None:
    messages = [Sent(START + timedelta(days=n), f"member {n}", "hi all") for n in range(9)]
    path = tmp_path / "a.txt"
    for count in ("8", "9", "10"):
        path.write_bytes(export(messages, count=count))
        assert typed(path) == of(messages)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    messages=sent(),
    version=st.sampled_from(["2.47", "2.40", "2.36"]),
    date=st.sampled_from([sv_se, en_us, invariant, unix]),
    newline=st.sampled_from(["\n", "\r\n"]),
    topic=TEXT,
    end=st.booleans(),
)
def test_what_was_written_comes_back(
    tmp_path: Path, messages: list[Sent], version: str, date: object, newline: str, topic: str, end: bool
) -> None:
    assume(not any(name.endswith("(pinned)") for name in (message.author for message in messages)))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version, date, newline=newline, topic=topic, end=end))  # type: ignore[arg-type]
    files: list[ExportFile] = []
    assert typed(path, files, date_order="mdy") == of(messages)
    assert files[0].messages == len(messages)
    assert len(files[0].notes) == (not end)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(path=st.sampled_from(FILES), seed=st.integers(0, 2**32))
def test_damage_is_read_or_said(tmp_path: Path, path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 12)):
        start = chance.randrange(len(data) + 1)
        piece = data[start : start + chance.randint(1, 80)]
        action = chance.randrange(5)
        if action == 0:
            data[start : start + 1] = chance.randbytes(1)
        elif action == 1:
            del data[start : start + len(piece)]
        elif action == 2:
            data[start:start] = piece * chance.choice([1, 2, 100])
        elif action == 3:
            data[start:start] = chance.choice([b"\n", b"\r\n", RULE.encode(), b"{Embed}\n", b"9" * 5000, "٣".encode()])
        else:
            del data[start:]
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(data)
    try:
        for message in read(damaged, date_order="mdy"):
            assert message.content
    except SelfChatBotError as error:
        assert "\n" not in str(error)


def peak(path: Path) -> int:
    """Bytes allocated at once while a file is read."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path)) >= 1_500
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("end", [True, False])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bool) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 2**16)  # small beside both files
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    for path, count in ((small, 1_500), (large, 6_000)):
        texts = (f"{number} " + 12 * "and so on " for number in range(count))
        path.write_bytes(export(chat(*texts, step=timedelta(seconds=1)), date=en_us, end=end))  # dates are cached
    typed(large)  # what is loaded and cached once doesn't count
    assert peak(large) < peak(small) + 2**15
