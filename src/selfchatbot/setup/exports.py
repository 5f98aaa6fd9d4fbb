"""Which format each given file has, told from its content, and where it belongs in the dataset."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from selfchatbot.errors import ExportError, UsageError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading.archives import CONTROL
from selfchatbot.preprocessors.reading.hints import advice_for, format_of


@dataclass(frozen=True, slots=True)
class FoundExport:
    """A file or zip to be copied into a dataset."""

    format: str
    source: Path
    place: PurePath
    """Where it belongs, below the folder of its format."""


def find_exports(paths: Iterable[Path]) -> list[FoundExport]:
    """The exports among files and in folders, each once.

    A folder keeps its structure, and comes without what the formats don't read: pictures, programs, other documents.

    Raises UsageError for a path that doesn't exist, ExportError for a file that is no export and for a folder without
    any.
    """
    found: dict[Path, FoundExport] = {}
    for path in map(_expanded, paths):
        if path.is_dir():
            exports = list(_in_folder(path))
            if not exports:
                raise ExportError(f"{path} has no export that is known here ({_apps()})")
        elif path.is_file():
            if (name := format_of(path)) is None:
                advice = advice_for(path) or f"is no export that is known here ({_apps()})"
                raise ExportError(f"{path} {advice}")
            exports = [FoundExport(name, path, PurePath(path.name))]
        else:
            raise UsageError(f"{path} is not there: check the path, or drag the file into the terminal")
        for export in exports:
            if CONTROL.search(str(export.place)):
                raise ExportError(f"{export.source} has a control character in its name: rename the file")
            found.setdefault(export.source.resolve(), export)
    return list(found.values())


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~name, and there is no such user: a file may be called that
        return path


def _apps() -> str:
    return ", ".join(kind.app_name() for kind in Preprocessors.values())


def _in_folder(folder: Path) -> Iterator[FoundExport]:
    """The exports below a folder, and the files that belong to them by their names."""
    root = folder.resolve()
    top = PurePath() if root.name in Preprocessors else PurePath(root.name)
    others: list[Path] = []
    formats: Counter[str] = Counter()
    for path in _visible_files(root):
        name = None
        with suppress(ExportError):  # a damaged zip among others
            name = format_of(path)
        if name is None:
            others.append(path)
        else:
            formats[name] += 1
            yield FoundExport(name, path, top / path.relative_to(root))
    for path in others:
        for name in formats:
            if path.name in Preprocessors[name].companions:
                yield FoundExport(name, path, top / path.relative_to(root))


def _visible_files(root: Path) -> Iterator[Path]:
    """Files below ``root`` that are neither hidden nor links, by path."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file():
                yield path


__all__ = ["FoundExport", "find_exports"]
