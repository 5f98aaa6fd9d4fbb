"""DiscordChatExporter plain text of every version, country and state of damage."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from discord_writer import RULE, Sent, export

from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessors

FILES = sorted((Path(__file__).parent / "discordchatexporter" / "txt").glob("*.txt"))
START = datetime(2024, 1, 10, 20, 0)
Typed = list[tuple[datetime, str, str]]


def read(path: Path, files: list[ExportFile] | None = None, **parameters: object) -> Iterator[Message]:
    return Preprocessors["DiscordChatExporter"](username="rowan", **parameters).read(path, files)


def typed(path: Path, files: list[ExportFile] | None = None, **parameters: object) -> Typed:
    return [(message.timestamp, message.author, message.content) for message in read(path, files, **parameters)]


def chat(*contents: str, start: datetime = START, step: timedelta = timedelta(minutes=5)) -> list[Sent]:
    """Two people taking turns."""
    return [Sent(start + number * step, ("rowan", "moss")[number % 2], text) for number, text in enumerate(contents)]


def of(messages: list[Sent]) -> Typed:
    return [(message.time, message.author, message.content) for message in messages if message.content]


# -- every layout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_layout(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    files: list[ExportFile] = []
    messages = [
        {"timestamp": message.timestamp.isoformat(), "author": message.author, "content": message.content}
        for message in read(path, files)
    ]
    assert messages == expected["typed"]
    assert [(file.messages, file.declared, file.notes) for file in files] == [
        (expected["messages"], expected["declared"], expected["notes"])
    ]


def test_the_fixtures_are_as_the_exporter_wrote_them() -> None:
    # A checkout that changes line ends would test something else.
    assert b"\r\n\r\n" in next(path for path in FILES if "windows" in path.name).read_bytes()
    assert len(FILES) >= 18


@pytest.mark.parametrize("version", ["2.47", "2.40", "2.36", "2.19", "2.15", "2.13"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_of_the_exporter_and_of_the_author_differ(tmp_path: Path, version: str, newline: str) -> None:
    messages = chat("one\ntwo\n\nthree", "four", "five\n\n\n\nsix" if version in ("2.47", "2.40", "2.36") else "five")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version, newline=newline, bom=True))
    assert typed(path) == of(messages)


@pytest.mark.parametrize("topic", ["one line", "two\nlines", f"a\n\n[2024-01-09 10:00] is no header\n\n{RULE[:-1]}\nb"])
def test_topic(tmp_path: Path, topic: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export(chat("one", "two"), topic=topic))
    files: list[ExportFile] = []
    assert typed(path, files) == of(chat("one", "two"))
    assert files[0].notes == []


# -- authors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "author",
    [
        *("rowan", "rowan#1234", "rowan#0000", "Deleted User", "Deleted User#0000", "deleted_user_0a1b2c"),
        *("Carl-bot#1536", "bob] [x] (y)", "a b  c", "(pinned)", "ᴿᴼᵂᴬᴺ 🧗", "امير", "[2024-01-10 20:00] me"),
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
def test_author(tmp_path: Path, author: str, pinned: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(export([Sent(START, author, "hi", pinned=pinned), Sent(START, "moss", "hello")]))
    assert typed(path) == [(START, author, "hi"), (START, "moss", "hello")]


def test_author_before_the_date(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("bob [x] (y)#0001  [03-Jan-18 10:00 AM]\nhi\n\nmoss#0002  [03-Jan-18 10:01 AM]\nho\n\n")
    assert [author for _, author, _ in typed(path)] == ["bob [x] (y)#0001", "moss#0002"]


# -- what is typed and what is not ------------------------------------------------------------------------------------


# -- day and month ----------------------------------------------------------------------------------------------------


# -- order of messages and files --------------------------------------------------------------------------------------


# -- frames and damage ------------------------------------------------------------------------------------------------


# -- pasted logs ------------------------------------------------------------------------------------------------------


# -- properties -------------------------------------------------------------------------------------------------------


# -- memory -----------------------------------------------------------------------------------------------------------
