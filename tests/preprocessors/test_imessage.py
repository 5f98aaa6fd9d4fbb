"""iMessage: every export in imessage/ gives what the .json beside it says, and so does what hypothesis writes."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.imessage import IMessage

EXPORTS = Path(__file__).parent / "imessage"
FILES = sorted(path for path in EXPORTS.glob("*/*.txt") if path.name != "orphaned.txt")
TRAPS = (
    "Sent with love",
    "Tapbacks: none",
    "Reactions:",
    "Edited 5 seconds later, I think",
    "- item",
    "https://example.com/a look",
    "at https://cdn.example.com/attachments/1/2/a.png",
    "May 17, 2022 is a date",
    "May 17, 2012  5:29:42 PM",
    "    indented",
    "This message responded",
    "{Attachments}",
)
OWN_WORDS = (
    *("This message was deleted from the conversation!", "This message responded to an earlier message."),
    *("Translated from:", "Attachment missing!", "Unable to format announcement!", "Tapbacks:"),
)
"""Nobody can tell them from the same words that somebody typed (hypothesis finds them in the parser)."""
START = datetime(2040, 2, 28, 23, 0)


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(IMessage(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["iMessage"] is IMessage
    for path in FILES:
        assert IMessage.recognises(path, path.read_bytes()[:65536]), path
    assert not IMessage.recognises(Path("chat.txt"), b"[1/5/2023 3:04 PM] name\ntext\n")
    assert not IMessage.recognises(Path("diary.txt"), b"May 17, 2022\nDear diary\n")


def test_i_am_known_before_the_first_message_by_the_name_given_to_the_exporter() -> None:
    for case, me in (("version4", "Me"), ("custom", "Ren")):
        files: list = []
        next(IMessage().read(EXPORTS / case, files))
        assert files[-1].me == me


def test_my_name_in_a_chat_that_nobody_read(tmp_path: Path) -> None:
    sent = "May 17, 2022  5:29:42 PM\n{}\nhello\n\n"
    read_by_me = "May 17, 2022  5:29:42 PM (Read by Ren after 1 second)\nZoe\nhello\n\n"
    for name, content in (
        ("a", sent.format("Ann") + sent.format("Ren")),
        ("b", sent.format("Bo") + sent.format("Me")),
        ("z", read_by_me + sent.format("Ren")),
    ):
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
    assert [file.me for file in read(IMessage(), tmp_path)[1]] == ["Ren", "Me", "Ren"]


class Sent(NamedTuple):
    """A message, and what hangs on it."""

    seconds: int
    sender: str
    text: str
    extra: str
    answers: int | None
    """How many messages before this one the message stands that it answers."""


EXTRAS = ("", "", "", "attachment", "attachment alone", "effect", "tapbacks", "edited", "deleted", "unsent", "bubble")
SENT = st.builds(
    Sent,
    seconds=st.integers(1, 10**6),
    sender=st.one_of(st.just("Me"), NAMES),
    text=text(*TRAPS).filter(lambda typed: not any(words in typed for words in OWN_WORDS)),
    extra=st.sampled_from(EXTRAS),
    answers=st.one_of(st.none(), st.integers(1, 3)),
)
SILENT = ("attachment alone", "deleted", "unsent", "bubble")


def date(time: datetime) -> str:
    """``%b %d, %Y %l:%M:%S %p``: the hour is filled up with a blank."""
    return f"{time:%b %d, %Y} {int(time.strftime('%I')):>2}:{time:%M:%S %p}"


def block(sent: Sent, time: datetime, version: int) -> str:
    """Date, sender and parts of one message, without what comes below them."""
    parts = {
        "attachment": f"attachments/3/IMG_1.jpeg\n{sent.text}",
        "attachment alone": "/Users/me/Library/Messages/Attachments/aa/0A/IMG 0001.HEIC",
        "effect": f"{sent.text}\nSent with Invisible Ink",
        "edited": f"{date(time)} first try\nof two lines\nEdited 1 minute, 2 seconds later: {sent.text}",
        "deleted": f"This message was deleted from the conversation!\n{sent.text}",
        "unsent": "They unsent this message part 3 seconds after sending!",
        "bubble": "GamePigeon message:\n8 Ball\nYour turn",
    }.get(sent.extra, sent.text)
    if sent.extra == "tapbacks":
        inset = "    " if version == 4 else ""
        parts += f"\n{'Tapbacks' if version == 4 else 'Reactions'}:\n{inset}Loved by Me\n{inset}Laughed by Anna"
        parts += "" if version == 4 else "\n"
    return f"{date(time)}\n{sent.sender}\n{parts}\n"


def nested(sent: Sent, time: datetime, version: int) -> str:
    """A reply below the message it answers: up to version 3, only the beginnings of its parts are indented."""
    written = block(sent, time, version)
    if version == 4:
        return "".join(f"    {line}\n" if line else "\n" for line in written.split("\n")[:-1]) + "\n"
    first, second, rest = written.split("\n", 2)
    return f"    {first}\n    {second}\n    {rest}\n"


def as_text(chat: list[Sent], version: int) -> tuple[str, list[tuple[datetime, str, str, int | None]]]:
    """The file, and what was typed: time, sender, text, and which message it answers."""
    times = []
    time = START
    for sent in chat:
        time += timedelta(seconds=sent.seconds)
        times.append(time)
    answered = [None if sent.answers is None or sent.answers > i else i - sent.answers for i, sent in enumerate(chat)]
    # A reply is never answered itself: all of a thread answer its first message.
    answered = [None if to is not None and answered[to] is not None else to for to in answered]
    out = []
    expected = []
    for index, (sent, time) in enumerate(zip(chat, times, strict=True)):
        out.append(block(sent, time, version))
        out += [nested(chat[i], times[i], version) for i, to in enumerate(answered) if to == index]
        if answered[index] is not None:
            out.append("This message responded to an earlier message.\n")
        out.append("\n")
        if sent.extra not in SILENT:
            to = answered[index]
            expected.append((time, sent.sender, sent.text, None if to is None or chat[to].extra in SILENT else to))
    return "".join(out), expected


@settings(max_examples=examples(40))
@given(chat=st.lists(SENT, min_size=1, max_size=8), version=st.sampled_from((1, 4)))
def test_any_chat_comes_back_message_for_message(chat: list[Sent], version: int) -> None:
    written, expected = as_text(chat, version)
    with TemporaryDirectory() as temporary:
        Path(temporary, "Anna.txt").write_text(written, encoding="utf-8", newline="\n")
        messages, files = read(IMessage(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in messages] == [row[:3] for row in expected]
    assert files[0].messages == len(chat)
    by_id = {one.id: (one.timestamp, one.author) for one in messages if one.id}
    times = [START + timedelta(seconds=sum(sent.seconds for sent in chat[: i + 1])) for i in range(len(chat))]
    for message, (*_, to) in zip(messages, expected, strict=True):
        assert (message.reply_to and by_id.get(message.reply_to)) == (
            None if to is None else (times[to], chat[to].sender)
        )


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(IMessage(), file.parent, file, damage)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chat.txt"
    for content, found in (
        (b"[1/5/2023 3:04 PM] secret\ntext\n", "no message of imessage-exporter"),
        (b"May 17, 2022  5:29:42 PM\n\nsecret\n", "no message of imessage-exporter"),
        (b"Foo 17, 2022  5:29:42 PM\nsecret\nsecret\n", "no message of imessage-exporter"),
        (b"Feb 31, 2022  5:29:42 PM\nsecret\nsecret\n", "no message of imessage-exporter"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        ("May 17, 2022  5:29:42 PM\nMe\nx\n".encode("utf-16"), "UTF-16"),
        (b"May 17, 2022  5:29:42 PM\nMe\nsecret \xe9\n", "line 3"),
    ):
        file.write_bytes(content)
        message = error_of(IMessage(), tmp_path)
        assert found in message
        assert "chat.txt" in message
        assert "secret" not in message


def test_a_chat_of_nothing_but_announcements_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "Team - 12.txt").write_text("May 17, 2022  5:29:42 PM You named the conversation Team\n\n")
    messages, files = read(IMessage(), tmp_path)
    assert messages == []
    assert files[0].chat == "Team - 12"


def test_dates_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    chat = (
        "May 17, 2022  5:29:42 PM\nMoss\nWhen?\n\nMay 17, 2022 17:31:02\nMe\nsoon\n\n"
        "May 57, 2022  5:33:42 PM\nMe\nnow\n\n"
        "May 17, 2022  5:35:42 PM\nMoss\nMay 17, 2022 17:31:02\nMay 5, 2022 at noon?\n\nMay I?\n"
    )
    (tmp_path / "Moss.txt").write_text(chat, encoding="utf-8")
    messages, files = read(IMessage(), tmp_path)
    assert [one.author for one in messages] == ["Moss", "Moss"]
    assert messages[1].content == "May 17, 2022 17:31:02\nMay 5, 2022 at noon?\n\nMay I?"
    assert files[0].notes == ["2 lines look like the beginning of a message but can't be read, the first is line 5"]


def test_the_same_message_has_the_same_id_in_every_export(tmp_path: Path) -> None:
    written = (EXPORTS / "version4" / "Sample Contact.txt").read_text(encoding="utf-8")
    (tmp_path / "Sample Contact.txt").write_text(
        "Apr 01, 2022  5:29:42 PM\nMe\nearlier\n\n" + written, encoding="utf-8"
    )
    ids = [one.id for one in read(IMessage(), EXPORTS / "version4")[0]]
    assert [one.id for one in read(IMessage(), tmp_path)[0]] == [None, *ids]
