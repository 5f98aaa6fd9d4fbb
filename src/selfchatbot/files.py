"""Files and folders that appear whole or not at all: written beside, fsynced, renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; on success it becomes ``path``, on any error it is removed."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        fsync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_files(*paths: Path) -> Iterator[list[Path]]:
    """Like ``atomic_file`` for several files that belong together: all are written before the first is renamed."""
    for path in paths:
        if path.is_dir():  # would be found out only when others have been renamed already
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    partials = [path.with_name(f".{path.name}.partial-{os.getpid()}") for path in paths]
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
    """Give an empty directory beside ``path`` to fill; on success it takes the place of ``path``.

    A process killed between the two renames leaves the old state under ``.NAME.old``: `restore_directory` heals that.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
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
    """Put back what a killed `atomic_directory` had moved aside."""
    old = path.with_name(f".{path.name}.old")
    if old.exists():
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(path)


def remove_leftovers(directory: Path) -> None:
    """Remove what a killed run left half written in ``directory``; what another process writes now stays."""
    for leftover in directory.glob(".*.partial-*"):
        if _being_written(leftover):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _being_written(partial: Path) -> bool:
    """Whether the process whose number a half-written file or folder bears is there, and not a later one."""
    import psutil

    number = partial.name.rpartition("-")[2]
    if not number.isdigit() or int(number) == os.getpid():
        return False
    try:
        return bool(psutil.Process(int(number)).create_time() <= partial.stat().st_mtime)
    except (psutil.NoSuchProcess, OSError):
        return False


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def fsync(path: Path) -> None:
    """Wait until a file is on disk, as far as its file system says."""
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            # Some network and container file systems refuse fsync; the rename is still atomic there.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
