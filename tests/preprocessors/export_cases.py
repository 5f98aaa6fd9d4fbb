"""What tests of several formats have in common: expected messages beside an export, zipped and damaged exports."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st

from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessor

Row = list[str | None]
NAMES = st.sampled_from(("Anna", "Jürgen Müller", "佐藤花子", "محمد", "O'Neil (work)", "Zoë 🦊"))
"""Names as address books hold them."""


def cases(folder: Path) -> list[str]:
    """Each export in ``folder`` has a .json beside it that says what is in it."""
    return sorted(path.stem for path in folder.glob("*.json"))


def rows(messages: list[Message]) -> list[Row]:
    return [[one.chat, one.timestamp.isoformat(), one.author, one.content, one.id, one.reply_to] for one in messages]


def read(preprocessor: Preprocessor, path: Path) -> tuple[list[Message], list[ExportFile]]:
    files: list[ExportFile] = []
    return list(preprocessor.read(path, files)), files


def check_case(preprocessor: Preprocessor, folder: Path, case: str) -> None:
    """An export gives what stands beside it, as a folder and as a zip."""
    expected = json.loads((folder / f"{case}.json").read_text(encoding="utf-8"))
    messages, files = read(preprocessor, folder / case)
    assert rows(messages) == expected["messages"]
    assert [[one.path.name, one.chat, one.messages, one.me, one.group, one.notes] for one in files] == expected["files"]
    with TemporaryDirectory() as temporary:
        shutil.make_archive(str(Path(temporary, "export")), "zip", folder / case)
        assert rows(read(preprocessor, Path(temporary))[0]) == expected["messages"]


def typed(preprocessor: Preprocessor, path: Path) -> tuple[list[tuple[str, str, str, str]], list[ExportFile]]:
    """Chat, time, author and content of each message, and what was seen of the files."""
    messages, files = read(preprocessor, path)
    return [(one.chat, one.timestamp.isoformat(), one.author, one.content) for one in messages], files


def check_typed(preprocessor: Preprocessor, folder: Path, case: str) -> None:
    """The same for expected messages without ids, written as objects."""
    expected = json.loads((folder / f"{case}.json").read_text(encoding="utf-8"))
    messages, files = typed(preprocessor, folder / case)
    assert messages == [tuple(one.values()) for one in expected["messages"]]
    assert [
        {"name": one.path.name, "messages": one.messages, "me": one.me, "group": one.group} for one in files
    ] == expected["files"]


def error_of(preprocessor: Preprocessor, path: Path) -> str:
    """The one line that the user is told about a bad export."""
    with pytest.raises(SelfChatBotError) as caught:
        read(preprocessor, path)
    message = str(caught.value)
    assert "\n" not in message
    return message


DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(("cut", "drop", "insert", "repeat", "swap")),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(
            (b"\0", b"\xff\xfe", b"\n", b'"', b"{", b"]", b"<", b"&#55357;", b"\r\n\r\n", "é".encode(), b"[", b"9" * 20)
        ),
    ),
    min_size=1,
    max_size=4,
)
"""What happens to a file on its way: pieces are lost, doubled or in the wrong place, bytes come in between."""


def damaged(data: bytes, damage: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, one, other, extra in damage:
        start, end = sorted((int(one * len(data)), int(other * len(data))))
        piece = data[start:end]
        if kind == "cut":
            data = data[:end]
        elif kind == "drop":
            data = data[:start] + data[end:]
        elif kind == "insert":
            data = data[:start] + extra + data[start:]
        elif kind == "repeat":
            data = data[:end] + piece + data[end:]
        else:
            data = data[:start] + data[end : end + 40] + piece + data[end + 40 :]
    return data


def check_damaged(
    preprocessor: Preprocessor, export: Path, file: Path, damage: list[tuple[str, float, float, bytes]]
) -> None:
    """A damaged file is read, or refused in one line: never anything else."""
    with TemporaryDirectory() as temporary:
        copy = Path(temporary, "export")
        shutil.copytree(export, copy)
        (copy / file.relative_to(export)).write_bytes(damaged(file.read_bytes(), damage))
        try:
            messages, _ = read(preprocessor, copy)
        except SelfChatBotError as error:
            assert "\n" not in str(error)
        else:
            assert all(message.content.strip() for message in messages)


def text(*traps: str, alphabet: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[str]:
    """What people write: any characters but those that no app lets through, and lines that look like the export."""
    if alphabet is None:
        alphabet = st.characters(codec="utf-8", exclude_characters="\n\r\0`\ufffc")
    any_line = st.text(alphabet, max_size=30)
    lines = st.lists(st.one_of(any_line, st.sampled_from(("", *traps))), min_size=1, max_size=5)
    return lines.map("\n".join).map(str.strip).filter(bool)
