"""Fingerprints of files, which tell whether something was made from the file that is there now."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from selfchatbot import files
from selfchatbot.files import fingerprint


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


def old_file(path: Path, content: bytes, seconds: int = 1_700_000_000) -> str:
    """Write a file that is no longer young, and return its SHA-256."""
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))
    return hashlib.sha256(content).hexdigest()


def test_a_fingerprint_changes_with_the_middle_of_a_file(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "model.gguf"
    content = bytearray(5 * 2**20)
    before = old_file(path, bytes(content))
    assert fingerprint(path) == before
    content[len(content) // 2] = 1
    after = old_file(path, bytes(content), 1_700_000_001)
    assert fingerprint(path) == after != before


def test_a_file_is_read_once_for_its_fingerprint(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    digest = old_file(path, b"content")
    read = []
    real = hashlib.file_digest

    def file_digest(file: object, name: str) -> object:
        read.append(name)
        return real(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(files.hashlib, "file_digest", file_digest)
    assert [fingerprint(path) for _ in range(3)] == [digest] * 3
    assert len(read) == 1
    monkeypatch.chdir(tmp_path)
    assert fingerprint(Path("a")) == digest and len(read) == 1
    other = old_file(path, b"CONTENT", 1_700_000_001)
    assert fingerprint(path) == other and len(read) == 2


def test_a_young_file_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    """It could change once more within the resolution of its time."""
    path = tmp_path / "a"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        assert fingerprint(path) == hashlib.sha256(content).hexdigest()
    assert not cache.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"%s": 7}', '{"%s": {"file": null}}'])
def test_a_damaged_memory_of_fingerprints_is_replaced(tmp_path: Path, cache: Path, content: str) -> None:
    path = tmp_path / "a"
    digest = old_file(path, b"content")
    cache.mkdir()
    (cache / "fingerprints.json").write_text(content.replace("%s", str(path)))
    assert fingerprint(path) == digest
    assert json.loads((cache / "fingerprints.json").read_text())[str(path)]["sha256"] == digest


def test_fingerprints_without_a_cache_directory(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file where the directory should be")
    digest = old_file(tmp_path / "a", b"content")
    assert fingerprint(tmp_path / "a") == digest


def test_the_newest_fingerprints_stay(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FINGERPRINTS", 3)
    for name in "abcde":
        old_file(tmp_path / name, name.encode())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fingerprint, [tmp_path / name for name in "abc"] * 5))
    for name in "de":
        fingerprint(tmp_path / name)
    remembered = json.loads((cache / "fingerprints.json").read_text())
    assert len(remembered) == 3 and [Path(path).name for path in remembered][1:] == ["d", "e"]
