"""Exports in JSON with very long texts."""

import json
import time
from pathlib import Path

import pytest

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading import json_stream
from selfchatbot.preprocessors.reading.json_stream import json_values


def values(path: Path) -> dict[str, object]:
    return dict(json_values(path, "a", "b"))


def test_a_long_text_is_read_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    expected = {"a": 'x "y" \\ é ' * 1_000_000, "b": "z"}
    path.write_text(json.dumps(expected), encoding="utf-8")
    started = time.monotonic()
    assert values(path) == expected
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("piece", ["x", '\\"', "\\u00e9", "é"])
def test_a_text_that_no_app_allows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    monkeypatch.setattr(json_stream, "MAX_LINE_BYTES", 2**20)
    path = tmp_path / "endless.json"
    path.write_text(f'{{"a": "{piece * 2**20 * 3}", "b": 1}}', encoding="utf-8")
    with pytest.raises(ExportError, match=r"near byte [\d,]+: a text longer than 1,048,576 bytes: remove the file"):
        values(path)
    path.write_text(json.dumps({"a": ["x" * 1000] * 5000, "b": 1}), encoding="utf-8")
    assert values(path)["b"] == 1
