"""Atomic writing of files and folders, reading of JSONL that a crash left incomplete, and fingerprints of files.

What is written atomically appears complete or not at all: it is written next to its place, synced to disk and renamed.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

MAX_NAME_BYTES = 200
"""Of a name that gets an addition. File systems allow 255."""
MAX_FINGERPRINTS = 200
"""Files whose fingerprints are remembered."""
MIN_AGE_SECONDS = 2.0
"""Some file systems store times this coarsely: a younger file could change again without getting another time."""


def partial_path(path: Path) -> Path:
    """Where this process writes what becomes ``path``, which may have the longest name that a file can have."""
    name = path.name
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.partial-{os.getpid()}")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path next to ``path`` to write to. On success it replaces ``path``, on any error it is removed."""
    partial = partial_path(path)
    try:
        yield partial
        fsync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_files(*paths: Path) -> Iterator[list[Path]]:
    """Like `atomic_file` for several files that belong together: all are written before the first is renamed."""
    for path in paths:
        if path.is_dir():  # otherwise noticed only after others have been renamed
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    partials = list(map(partial_path, paths))
    try:
        yield partials
        for partial in partials:
            fsync(partial)
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
    except BaseException:
        for partial in partials:
            partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Give an empty directory next to ``path`` to fill. On success it replaces ``path``.

    If the process is killed between the two renames, the old state is in ``.NAME.old``: see `restore_directory`.
    """
    partial = partial_path(path)
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                fsync(file)
        restore_directory(path)
        if path.exists():
            path.rename(old)
        partial.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        restore_directory(path)
        raise


def restore_directory(path: Path) -> None:
    """Restore the old state if `atomic_directory` was killed after moving it aside."""
    old = path.with_name(f".{path.name}.old")
    if old.exists():
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(path)


def remove_leftovers(directory: Path) -> None:
    """Remove files and folders in ``directory`` that a killed process left incomplete.

    What a running process is writing stays.
    """
    for leftover in directory.glob(".*.partial-*"):
        if _is_being_written(leftover):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_being_written(partial: Path) -> bool:
    """Whether the process that began to write is still running. Its ID, in the name, may have been reused since."""
    import psutil

    process_id = partial.name.rpartition("-")[2]
    if not process_id.isdigit() or int(process_id) == os.getpid():
        return False
    try:
        return bool(psutil.Process(int(process_id)).create_time() <= partial.stat().st_mtime)
    except (psutil.NoSuchProcess, OSError):
        return False


def new_file(folder: Path, stem: str, suffix: str) -> Path:
    """Create an empty file in ``folder``: ``stem`` and ``suffix``, with ``-2`` and so on between them if that exists.

    No other process gets the same one. Raises OSError.
    """
    for number in count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        with suppress(FileExistsError):
            path.touch(mode=0o600, exist_ok=False)
            return path
    raise AssertionError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def fsync(path: Path) -> None:
    """Wait until the file system reports that a file is on disk."""
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            # Some network and container file systems refuse fsync; the rename is still atomic there.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise


def read_small(path: Path, most: int = 64 * 2**20) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises OSError for a larger file, and for a pipe or a device, which might never end.
    """
    with _opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def read_jsonl(path: Path, stop_at_damage: bool = False) -> Iterator[Any]:
    """The values of the lines of a JSONL file. Lines left incomplete by a crash are skipped.

    With ``stop_at_damage``, nothing is read after such a line: for files where the number of a line has a meaning.
    A file that can't be opened has no lines, and nor does a pipe, which might never end.
    """
    with suppress(OSError), _opened(path) as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                value = json.loads(line.decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                if stop_at_damage:
                    return
                continue
            yield value


def _opened(path: Path) -> IO[bytes]:
    """A regular file, to read it. Raises OSError for a pipe or a device, which might never end."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.open("rb")


def fingerprint(path: Path) -> str:
    """SHA-256 of the content of a file, in hexadecimal. Raises OSError if it can't be read.

    The user's cache directory remembers it for as long as path, size, modification time and inode stay the same.
    """
    file = path.resolve()
    status = file.stat()
    identity = [status.st_size, status.st_mtime_ns, status.st_ino]
    known = _fingerprints().get(str(file))
    if isinstance(known, dict) and known.get("file") == identity and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if time.time() - status.st_mtime >= MIN_AGE_SECONDS:
        with suppress(OSError):  # a cache directory that can't be written to only costs time
            _remember_fingerprint(str(file), {"file": identity, "sha256": digest})
    return digest


def _fingerprints() -> dict[str, Any]:
    try:
        values = json.loads(read_small(_fingerprints_file()))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _remember_fingerprint(file: str, value: dict[str, Any]) -> None:
    from filelock import FileLock

    path = _fingerprints_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), mode=0o600):
        remove_leftovers(path.parent)
        values = _fingerprints()
        values.pop(file, None)
        newest = list(values.items())[1 - MAX_FINGERPRINTS :]
        write_text(path, json.dumps(dict([*newest, (file, value)])))


def _fingerprints_file() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("selfchatbot", appauthor=False) / "fingerprints.json"
