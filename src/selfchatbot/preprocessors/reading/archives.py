"""The files of a folder and of the zips in it, none of which is trusted.

A zip is read in place, member by member: nothing is ever unpacked. What could hurt is refused before it is opened.
"""

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any
from weakref import WeakKeyDictionary

from selfchatbot.errors import ExportError

ExportPath = Path | zipfile.Path
"""A file on disk, or a member of a zip that is read in place."""

MAX_RATIO = 200
"""Chats deflate to a tenth of their size, repetitive ones to a fiftieth; zip bombs to a thousandth."""
MAX_TOTAL = 16 * 2**30
"""Bytes that one archive may hold in files which are read."""
HARMLESS = 64 * 2**20
"""Bytes up to which the ratio doesn't matter."""
UNSAFE_NAME = re.compile(r"[/\\]|[A-Za-z]:|.*//|(?:.*[/\\])?\.\.(?:[/\\]|$)", re.DOTALL)
CONTROL = re.compile(r"[\0-\x1f\x7f]")
"""In the name of a file, these would break a message into lines or colour it."""
ENCRYPTED = 1
MOST_OPEN = 8
"""Archives that stay open: each is an open file, of which systems allow 256 and more."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What phones and their apps write. zipfile unpacks a block of the others at once, however large it becomes."""


_opened: WeakKeyDictionary[zipfile.ZipFile, zipfile.ZipFile] = WeakKeyDictionary()
"""The open archives by the closed ones that their members know."""


class ZipMember(zipfile.Path):
    """A file in a zip. What is damaged in it is an ExportError at the place where it is read."""

    def open(self, mode: str = "rb", *args: Any, **kwargs: Any) -> IO[Any]:  # type: ignore[override]
        """Its bytes, buffered and seekable; ``mode`` can only be ``rb``."""
        if mode != "rb":
            raise ValueError(f"a member of an archive can only be opened as rb, not as {mode}")
        return io.BufferedReader(_Member(self), 2**16)


class _Member(io.RawIOBase):
    """The raw bytes of a member; `io.BufferedReader` over it reads lines many times faster than zipfile itself."""

    def __init__(self, path: ZipMember) -> None:
        super().__init__()
        self._path = path
        self._file: IO[bytes] = io.BytesIO()  # something to close when the next line fails
        self._file = self._guarded(lambda: _reopened(path.root).open(path.at))

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        # RuntimeError: encrypted; the others: damaged.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise ExportError(f"{self._path} is damaged ({shown(str(error))}): export it again") from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._guarded(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        position: int = self._guarded(lambda: self._file.seek(offset, whence))
        return position

    def tell(self) -> int:
        position: int = self._file.tell()
        return position

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _reopened(listed: zipfile.ZipFile) -> zipfile.ZipFile:
    if (archive := _opened.get(listed)) is None:
        if len(_opened) >= MOST_OPEN:
            # Members of it that are still read stay open.
            _opened.pop(next(iter(_opened))).close()
        archive = _opened[listed] = zipfile.ZipFile(str(listed.filename))
    return archive


def files_below(folder: Path, wanted: Callable[[PurePath], bool]) -> list[ExportPath]:
    """The files below ``folder`` and in the zips there whose path is ``wanted``, sorted by path.

    Hidden files and folders, and a zip in a zip, are left out.

    Raises ExportError for a link that leads out of the folder and for an archive that can't be trusted.
    """
    found: list[ExportPath] = []
    for path in walk(folder):
        if CONTROL.search(str(path)):
            raise ExportError(f"{shown(str(path))} has a control character in its name: rename the file")
        if wanted(path):
            found.append(path)
        elif path.suffix.lower() == ".zip":
            found.extend(members(path, wanted))
    return sorted(found, key=lambda path: PurePath(str(path)))


def walk(folder: Path) -> Iterator[Path]:
    """The files below ``folder`` that are not hidden. Raises ExportError for a link that leads out of it."""
    root = folder.resolve()
    for directory, names, files in os.walk(folder, onerror=_raise):
        names[:] = sorted(name for name in names if not _is_hidden(name))
        for name in (*names, *files):
            path = Path(directory, name)
            if path.is_symlink() and not _is_hidden(name) and not path.resolve().is_relative_to(root):
                raise ExportError(f"{shown(str(path))} is a link out of {folder}: put the file itself there")
        for name in sorted(files):
            path = Path(directory, name)
            # What a link inside the folder leads to is met at its own place.
            if not _is_hidden(name) and not path.is_symlink() and path.is_file():
                yield path


def members(archive: Path, wanted: Callable[[PurePath], bool]) -> list[ZipMember]:
    """The files in a zip whose path is ``wanted``, to be read in place.

    Raises ExportError for what is no zip, encrypted, compressed in an unknown way, or made to do harm.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = {info.filename: info for info in file.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ExportError(f"{archive} is no zip, or a damaged one ({shown(str(error))}): export it again") from error
    for name in entries:
        if UNSAFE_NAME.match(name):
            raise ExportError(f'{archive} holds the path "{shown(name)}", which leads out of it: remove the file')
    taken = [
        info
        for name, info in entries.items()
        if not info.is_dir() and not any(map(_is_hidden, name.split("/"))) and wanted(PurePath(name))
    ]
    _refuse_bombs(archive, taken)
    for info in taken:
        place = f"{archive}/{shown(info.filename)}"
        if CONTROL.search(info.filename):
            raise ExportError(f"{place} has a control character in its name: unpack the archive and rename the file")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ExportError(f"{place} is a link, no file: unpack the archive and remove it")
        if info.flag_bits & ENCRYPTED:
            raise ExportError(f"{place} is protected by a password: unpack the archive")
        if info.compress_type not in COMPRESSIONS:
            raise ExportError(f"{place} is compressed in a way that can't be read here: unpack the archive")
    return [ZipMember(file, info.filename) for info in taken]


def _refuse_bombs(archive: Path, taken: list[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in taken)
    if total > MAX_TOTAL:
        raise ExportError(
            f"{archive} unpacks to {total / 2**30:,.0f} GiB, more than {MAX_TOTAL // 2**30}: unpack it and keep what "
            "you need"
        )
    # The size on disk can't be lied about: with overlapping members, a small file unpacks to a big one many times.
    if total > HARMLESS and total > MAX_RATIO * archive.stat().st_size:
        raise ExportError(f"{archive} unpacks to {total // archive.stat().st_size:,} times its size: a zip bomb")
    for info in taken:
        if info.file_size > HARMLESS and info.file_size > MAX_RATIO * max(1, info.compress_size):
            times = info.file_size // max(1, info.compress_size)
            raise ExportError(f"{archive}/{shown(info.filename)} unpacks to {times:,} times its size: a zip bomb")


def shown(text: str) -> str:
    """``text`` of an untrusted file for a message of one line."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _raise(error: OSError) -> None:
    raise error
