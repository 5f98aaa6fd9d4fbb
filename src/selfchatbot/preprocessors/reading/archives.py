"""The files of a folder and of the zips in it. None of them is trusted.

A zip is read in place, member by member, and never unpacked. Dangerous files are refused before they are opened.
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

from selfchatbot.display import visible_line
from selfchatbot.errors import ExportError

ExportPath = Path | zipfile.Path
"""A file on disk, or a member of a zip."""

MAX_RATIO = 200
"""Unpacked to packed size: about 10 for chats, 50 for repetitive ones, 1000 for zip bombs."""
MAX_UNPACKED_BYTES = 16 * 2**30
"""Of all files of one archive that are read."""
HARMLESS_BYTES = 64 * 2**20
"""Up to this unpacked size, the ratio doesn't matter."""
UNSAFE_NAME = re.compile(r"[/\\]|[A-Za-z]:|.*//|(?:.*[/\\])?\.\.(?:[/\\]|$)", re.DOTALL)
CONTROL = re.compile(r"[\0-\x1f\x7f]")
"""In the name of a file, these could break a message into lines or colour it."""
ENCRYPTED_FLAG = 1
MAX_OPEN_ARCHIVES = 8
"""Each is an open file; systems allow at least 256 of them."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that phones and apps use. For others, zipfile unpacks whole blocks, however large they become."""


_opened: WeakKeyDictionary[zipfile.ZipFile, zipfile.ZipFile] = WeakKeyDictionary()
"""From the closed archive that members refer to, to the same archive opened again."""


class ZipMember(zipfile.Path):
    """A file in a zip. Reading a damaged part raises ExportError."""

    def open(self, mode: str = "rb", *args: Any, **kwargs: Any) -> IO[Any]:  # type: ignore[override]
        """Its bytes, buffered and seekable. ``mode`` must be ``rb``."""
        if mode != "rb":
            raise ValueError(f"a member of an archive can only be opened as rb, not {mode}")
        return io.BufferedReader(_Member(self), 2**16)


class _Member(io.RawIOBase):
    """The raw bytes of a member. With `io.BufferedReader`, lines are read many times faster than with zipfile."""

    def __init__(self, path: ZipMember) -> None:
        super().__init__()
        self._path = path
        self._file: IO[bytes] = io.BytesIO()  # so that close works if the next line fails
        self._file = self._checked(lambda: _reopened(path.root).open(path.at))

    def _checked(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        # RuntimeError means encrypted, the others damaged.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise ExportError(f"{self._path} is damaged ({shown(str(error))}): export it again") from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._checked(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        position: int = self._checked(lambda: self._file.seek(offset, whence))
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
        if len(_opened) >= MAX_OPEN_ARCHIVES:
            # Members that are still being read stay open.
            _opened.pop(next(iter(_opened))).close()
        archive = _opened[listed] = zipfile.ZipFile(str(listed.filename))
    return archive


def files_below(folder: Path, wanted: Callable[[PurePath], bool]) -> list[ExportPath]:
    """The files below ``folder``, and in the zips there, with a ``wanted`` path. Sorted by path.

    Hidden files and folders are left out, and so are zips in zips.

    Raises ExportError for links that lead out of the folder and for unsafe archives.
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
    """The files below ``folder`` that are not hidden. Raises ExportError for links that lead out of it."""
    root = folder.resolve()
    for directory, names, files in os.walk(folder, onerror=_raise):
        names[:] = sorted(name for name in names if not _is_hidden(name))
        for name in (*names, *files):
            path = Path(directory, name)
            if path.is_symlink() and not _is_hidden(name) and not _leads_into(path, root):
                raise ExportError(f"{shown(str(path))} is a link out of {folder}: replace it with the file")
        for name in sorted(files):
            path = Path(directory, name)
            # The target of a link inside the folder is found in its own place.
            if not _is_hidden(name) and not path.is_symlink() and path.is_file():
                yield path


def _leads_into(link: Path, root: Path) -> bool:
    """False as well for links that lead in a circle."""
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except FileNotFoundError:  # it leads to nothing
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def members(archive: Path, wanted: Callable[[PurePath], bool]) -> list[ZipMember]:
    """The files in a zip with a ``wanted`` path.

    Raises ExportError if it is not a zip, encrypted, compressed in an unknown way, or malicious.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = {info.filename: info for info in file.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ExportError(f"{archive} is not a zip, or damaged ({shown(str(error))}): export it again") from error
    for name in entries:
        if UNSAFE_NAME.match(name):
            raise ExportError(f'{archive} contains the path "{shown(name)}", which leads out of it: remove the file')
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
            raise ExportError(f"{place} is a link, not a file: unpack the archive and remove it")
        if info.flag_bits & ENCRYPTED_FLAG:
            raise ExportError(f"{place} is encrypted: unpack the archive with its password")
        if info.compress_type not in COMPRESSIONS:
            raise ExportError(f"{place} is compressed in a way that can't be read here: unpack the archive")
    return [ZipMember(file, info.filename) for info in taken]


def _refuse_bombs(archive: Path, taken: list[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in taken)
    if total > MAX_UNPACKED_BYTES:
        raise ExportError(
            f"{archive} unpacks to {total / 2**30:,.0f} GiB, more than {MAX_UNPACKED_BYTES // 2**30}: unpack it and "
            "keep what you need"
        )
    # Stated sizes can lie, the size on disk can't: members may overlap, so that the same bytes are unpacked many times.
    if total > HARMLESS_BYTES and total > MAX_RATIO * archive.stat().st_size:
        raise ExportError(f"{archive} unpacks to {total // archive.stat().st_size:,} times its size: a zip bomb")
    for info in taken:
        if info.file_size > HARMLESS_BYTES and info.file_size > MAX_RATIO * max(1, info.compress_size):
            times = info.file_size // max(1, info.compress_size)
            raise ExportError(f"{archive}/{shown(info.filename)} unpacks to {times:,} times its size: a zip bomb")


def shown(text: str) -> str:
    """Text from an untrusted file for a message of one line: nothing hidden, at most 200 characters."""
    return visible_line(text[:200])


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _raise(error: OSError) -> None:
    raise error
