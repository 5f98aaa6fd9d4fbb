"""parameters.json: extreme values and files."""

import json
import os
import time
from pathlib import Path

import pytest
from test_parameters import read

from selfchatbot.errors import ParametersError
from selfchatbot.parameters import (
    read_json,
)


def test_a_silence_of_any_length(tmp_path: Path) -> None:
    assert read(tmp_path, '{"model": "gpt2", "conversation_gap_minutes": 1e12}').conversation_gap_minutes == 1e12
    with pytest.raises(ParametersError, match=r'"conversation_gap_minutes": found 1e\+18, expected less than'):
        read(tmp_path, '{"model": "gpt2", "conversation_gap_minutes": 1e18}')


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/zero"):
        with pytest.raises(ParametersError, match="can't be read: it is not a file"):
            read_json(tmp_path / name)


def test_a_file_that_nobody_wrote_by_hand_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match="can't be read: it has more than 1,048,576 bytes"):
        read(tmp_path, '{"model": "gpt2", "system": "' + "x" * 2**20 + '"}')


def test_a_large_file_takes_no_time(tmp_path: Path) -> None:
    names = json.dumps([f"name {number}" for number in range(50_000)])
    started = time.monotonic()
    read(tmp_path, f'{{"model": "gpt2", "exclude": {{"contacts": {names}}}}}')
    with pytest.raises(ParametersError, match=r"is not valid JSON: .* line 1 column"):
        read(tmp_path, f'{{"model": "gpt2", "exclude": {{"contacts": {names}}}}}}}')
    assert time.monotonic() - started < 20


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match="no character"):
        read(tmp_path, '{"model": "gpt2", "system": "\\ud83d"}')
    assert read(tmp_path, '{"model": "gpt2", "system": "\\ud83d\\ude00"}').system == "😀"
