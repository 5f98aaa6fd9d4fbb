"""Which format each folder of a raw dataset has."""

import difflib
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from selfchatbot.errors import ExportError, ParametersError
from selfchatbot.parameters import FILE_NAME, RawParameters, validate
from selfchatbot.preprocessors import Preprocessor, Preprocessors
from selfchatbot.preprocessors.reading.archives import walk
from selfchatbot.preprocessors.reading.hints import MAX_FILES, format_of


def preprocessors_by_folder(raw_folder: Path, raw: RawParameters) -> dict[Path, Preprocessor]:
    """The preprocessor of each format folder, with its ``preprocessor_data``, sorted by folder.

    Raises ExportError for folders that don't match a format, ParametersError for keys that don't.
    """
    place = raw_folder / FILE_NAME
    data = _data_by_format(raw, place)
    folders = sorted(path for path in raw_folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    known = ", ".join(Preprocessors)
    if beside := _export_beside(raw_folder):
        raise ExportError(beside)
    if not folders:
        raise ExportError(f"{raw_folder} has no folder with exports: make one named after its format: {known}")
    by_format: dict[str, tuple[Path, Preprocessor]] = {}
    for folder in folders:
        if folder.name not in Preprocessors:
            name = _format_meant(folder)
            to = name or f"one of {known}"
            raise ExportError(f"{folder} is not a known format: rename it to {to}, or move it elsewhere")
        name = Preprocessors.canonical(folder.name)
        if name in by_format:
            raise ExportError(f"{folder} and {by_format[name][0]} have the same format: merge them into one folder")
        preprocessor = validate(Preprocessors[name], data.get(name, {}), f"{place}: preprocessor_data.{name}")
        by_format[name] = folder, preprocessor
    return dict(by_format.values())


def _export_beside(raw_folder: Path) -> str | None:
    """What to do with an export that lies beside the format folders."""
    for path in sorted(raw_folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name != FILE_NAME:
            with suppress(ExportError):
                if name := format_of(path):
                    return f"{path} looks like {name}: put it into a folder named {name}, beside {FILE_NAME}"
    return None


def _format_meant(folder: Path) -> str | None:
    """The format of the first known export in a folder with another name."""
    with suppress(ExportError):
        for path in islice(walk(folder), MAX_FILES):
            if name := format_of(path):
                return name
    return None


def _data_by_format(raw: RawParameters, place: Path) -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = {}
    for name, values in raw.preprocessor_data.items():
        if name not in Preprocessors:
            near = difflib.get_close_matches(name, Preprocessors, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"known formats: {', '.join(Preprocessors)}"
            raise ParametersError(f'{place}: unknown key "preprocessor_data.{name}": {hint}')
        if data.setdefault(Preprocessors.canonical(name), values) is not values:
            raise ParametersError(f'{place}: key "preprocessor_data.{name}" appears twice: keep one of them')
    return data
