"""Reading text files line by line."""

import tempfile
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.lines import MAX_LINE_BYTES, decoded_lines


@settings(max_examples=examples(100))
@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\0"))),
    end=st.booleans(),
    crlf=st.booleans(),
)
def test_lines_are_split_at_newlines_only(lines: list[str], end: bool, crlf: bool) -> None:
    newline = "\r\n" if crlf else "\n"
    text = newline.join(lines) + (newline if end else "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        path.write_bytes(text.encode())
        found = list(decoded_lines(path))
    expected = text.removeprefix("\ufeff").split("\n")
    if not expected[-1]:
        expected.pop()
    assert found == [line.removesuffix("\r") for line in expected]


def test_line_of_a_bad_byte_behind_many_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ü is a letter\n".encode() * 300_000 + b"ab\xffcd\nmore\n")
    with pytest.raises(ExportError, match=r"line 300,?001: byte 3 is not UTF-8"):
        list(decoded_lines(path))
    path.write_bytes(b"fine\n" * 300_000 + b"a\0b\n")
    with pytest.raises(ExportError, match=r"line 300,?001: NUL"):
        list(decoded_lines(path))


def test_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.write(b"first\n")
        for _ in range(MAX_LINE_BYTES // 2**20 + 2):
            file.write(b"x" * 2**20)
    with pytest.raises(ExportError, match="line 2: longer than"):
        list(decoded_lines(path))
