"""Makes the environment and a dataset's folder, and puts exports into it."""

import getpass
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from selfchatbot.display import visible_line
from selfchatbot.environment import (
    DATASET_NAME,
    STAGES,
    Dataset,
    Environment,
    datasets,
    is_environment_set,
    read_environment,
)
from selfchatbot.errors import ParametersError, UsageError
from selfchatbot.files import atomic_directory, atomic_file, fingerprint, remove_leftovers, write_text
from selfchatbot.parameters import FILE_NAME, MAX_BYTES, RawParameters, read_parameters
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.setup.exports import FoundExport

NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
"""What Windows or Linux doesn't take in the name of a folder."""
MAX_NAME_BYTES = 160
"""Of a dataset's name. With what is put before and after it, a folder's name may have 255."""
ENV_LINES = "".join(f"selfChatBot_{stage}=selfChatBot_{stage}\n" for stage in STAGES)


def ready_environment() -> tuple[Environment, Path | None]:
    """The environment; where none is set, one in the working directory, with the path of the .env that was written.

    Raises UsageError for one that is set but can't be used.
    """
    if is_environment_set():
        return read_environment(), None
    path = Path.cwd() / ".env"
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    Path("selfChatBot_raw").mkdir(exist_ok=True)
    write_text(path, before + ("\n" if before and not before.endswith("\n") else "") + ENV_LINES)
    return read_environment(), path


def suggested_name() -> str:
    """A name for a first dataset: that of the account on this machine."""
    with suppress(OSError, KeyError, ImportError):  # a container may have no account
        return folder_name(getpass.getuser().title()) or "Me"
    return "Me"


def folder_name(name: str) -> str:
    """``name`` as a part of a folder's name; empty if nothing is left."""
    cleaned = NOT_IN_NAMES.sub("-", visible_line(name)).strip(" .-")
    return cleaned.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(" .-")


def new_dataset(environment: Environment, name: str) -> Dataset:
    """A dataset with the next free ID, not yet on the disk. Raises UsageError where its name is taken or empty."""
    cleaned = folder_name(name)
    if not cleaned:
        raise UsageError(f'"{name}" can\'t be the name of a folder: use letters and digits')
    numbers = {0}
    for folder in (environment.raw, environment.preprocessed, environment.results):
        for taken, number in datasets(folder).items():
            match = DATASET_NAME.fullmatch(taken)
            if folder == environment.raw and match and match[2].casefold() == cleaned.casefold():
                raise UsageError(
                    f"{folder / taken} is there already: add the files to it with -d {number}, or choose another --name"
                )
            numbers.add(int(number) if number.isdecimal() else 0)
    free = max(numbers) + 1
    return Dataset(str(free), f"Dataset_{free}_{cleaned}", environment)


def create(dataset: Dataset, exports: Iterable[FoundExport], model: str, method: str) -> None:
    """Make a dataset's raw folder with copies of ``exports`` and a parameters.json, all of it or nothing."""
    parameters = {"model": model, "type_fine_tune": method, "max_length": 1024}
    with atomic_directory(dataset.raw) as folder:
        for export in exports:
            target = _free_place(folder / export.format, export)
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(export.source, target)
        (folder / FILE_NAME).write_text(_dump(parameters), encoding="utf-8", newline="\n")


def add(dataset: Dataset, exports: Iterable[FoundExport]) -> int:
    """Copy ``exports`` into a dataset that exists; returns how many were new. Files are never replaced."""
    folders = {
        Preprocessors.canonical(path.name): path
        for path in dataset.raw.iterdir()
        if path.is_dir() and path.name in Preprocessors
    }
    added = 0
    for export in exports:
        target = _free_place(folders.get(export.format, dataset.raw / export.format), export)
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(target.parent)
            with atomic_file(target) as partial:
                shutil.copyfile(export.source, partial)
            added += 1
    return added


def set_username(dataset: Dataset, format_name: str, username: str) -> None:
    """Write who I am in one format into the raw parameters.json.

    Raises ParametersError where that file has comments, which a program would lose.
    """

    def change(values: dict[str, Any]) -> None:
        data = values.setdefault("preprocessor_data", {})
        key = next((name for name in data if name.casefold() == format_name.casefold()), format_name)
        data.setdefault(key, {})["username"] = username

    _change(dataset, change, f"preprocessor_data.{format_name}.username", username)


def leave_out(dataset: Dataset, people: Sequence[str]) -> None:
    """Write whom to leave out into the raw parameters.json, instead of those who were left out before.

    Raises ParametersError where that file has comments, which a program would lose.
    """

    def change(values: dict[str, Any]) -> None:
        values.setdefault("exclude", {})["contacts"] = list(people)

    _change(dataset, change, "exclude.contacts", list(people))


def _change(dataset: Dataset, change: Callable[[dict[str, Any]], None], key: str, value: object) -> None:
    """Change the raw parameters.json; ``key`` and ``value`` say what, where it is left to the user."""
    path = dataset.raw / FILE_NAME
    read_parameters(path, RawParameters)  # raises if something is wrong with it
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise ParametersError(
            f'{path}: key "{key}": set it to {json.dumps(value, ensure_ascii=False)}; the file has comments, so it is '
            "left to you"
        ) from None
    change(values)
    text = _dump(values)
    if len(text.encode()) > MAX_BYTES:
        raise ParametersError(f'{path}: key "{key}": that is too much, a file may have {MAX_BYTES:,} bytes')
    write_text(path, text)


def _free_place(folder: Path, export: FoundExport) -> Path | None:
    """Where a copy goes. Where its name is taken, that is a folder 2, 3, ...: names tell who a chat is with.

    None if the same file is in ``folder`` already.
    """
    same_name = [path for path in folder.rglob("*") if path.name == export.source.name and path.is_file()]
    size = export.source.stat().st_size
    if any(path.stat().st_size == size and fingerprint(path) == fingerprint(export.source) for path in same_name):
        return None
    places = (folder / (str(number) if number > 1 else "") / export.place for number in count(1))
    return next(place for place in places if not place.exists())


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
