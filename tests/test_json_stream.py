"""Exports in JSON with very long texts."""

import json
from pathlib import Path

import pytest

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading import json_stream
from selfchatbot.preprocessors.reading.json_stream import json_values


def values(path: Path) -> dict[str, object]:
    return dict(json_values(path, "a", "b"))


def test_a_long_text_is_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """yajl looks at the whole text again at each piece of it, so there must be few."""
    path = tmp_path / "long.json"
    expected = {"a": "x y é " * 1_500_000, "b": "z"}
    path.write_text(json.dumps(expected), encoding="utf-8")
    pieces = 0
    read = json_stream._Reader.read

    def counted(reader: json_stream._Reader, size: int) -> bytes:
        nonlocal pieces
        pieces += 1
        return read(reader, size)

    monkeypatch.setattr(json_stream._Reader, "read", counted)
    assert values(path) == expected
    assert pieces < 40


@pytest.mark.parametrize("piece", ["x", '\\"', "\\u00e9", "é"])
def test_a_text_that_no_app_allows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    monkeypatch.setattr(json_stream, "MAX_LINE_BYTES", 2**20)
    path = tmp_path / "endless.json"
    path.write_text(f'{{"a": "{piece * 2**20 * 3}", "b": 1}}', encoding="utf-8")
    with pytest.raises(ExportError, match=r"near byte [\d,]+: a text longer than 1,048,576 bytes: remove the file"):
        values(path)
    path.write_text(json.dumps({"a": ["x" * 1000] * 5000, "b": 1}), encoding="utf-8")
    assert values(path)["b"] == 1
