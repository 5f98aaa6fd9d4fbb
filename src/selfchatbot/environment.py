"""The three directories of the environment, and the folder of a dataset in each of them."""

import logging
import os
import re
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from dotenv import dotenv_values

from selfchatbot.errors import SelfChatBotError, UsageError

STAGES = ("raw", "preprocessed", "results")
RUNS_FOLDER = "runs"
"""Below the results of a dataset: earlier trainings, each in a folder with its name."""
COMMANDS = ("preprocess", "train", "play")
"""The command that reads from each of the directories."""
PREFERENCES_FILE = "preferences.jsonl"
"""In the results of a dataset: what was rated in sessions."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ALMOST_DATASET = re.compile(r"data[-_ ]?set(?:[-_ ]*(\d+))?[-_ ]*(.*)", re.IGNORECASE | re.DOTALL)
DATASET_NAME = re.compile(r"Dataset_([^_]+)_(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Environment:
    """The three directories, as absolute paths."""

    raw: Path
    preprocessed: Path
    results: Path


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset. Its folder ``Dataset_<ID>_<Name>`` has the same name in all three directories."""

    id: str
    folder: str
    environment: Environment
    run: str | None = None
    """An earlier training, kept in the results; None: the newest one."""

    @property
    def name(self) -> str:
        """The part of the folder's name after the ID."""
        match = DATASET_NAME.fullmatch(self.folder)
        name = match[2] if match else self.folder
        return name.encode("utf-8", "replace").decode()  # the bytes of a file's name are not always UTF-8

    @property
    def raw(self) -> Path:
        return self.environment.raw / self.folder

    @property
    def preprocessed(self) -> Path:
        return self.environment.preprocessed / self.folder

    @property
    def results(self) -> Path:
        newest = self.environment.results / self.folder
        return newest / RUNS_FOLDER / self.run if self.run else newest


def read_environment() -> Environment:
    """``selfChatBot_raw``, ``selfChatBot_preprocessed`` and ``selfChatBot_results``.

    Each is taken from the process environment, else from the nearest ``.env`` in the working directory or above it.
    Values in ``.env`` are relative to it. Output directories are created.

    Raises UsageError if a variable is not set, the raw directory doesn't exist, or one directory contains another.
    """
    env_file = nearest_env_file(Path.cwd())
    from_file = _read_env_file(env_file) if env_file else {}
    directories: dict[str, Path] = {}
    for stage in STAGES:
        variable = f"selfChatBot_{stage}"
        if value := os.environ.get(variable):
            base = Path.cwd()
        elif (value := from_file.get(variable)) and env_file:
            base = env_file.parent
        else:
            looked = f"nor set in {env_file}" if env_file else "and there is no .env from here upward"
            raise UsageError(
                f"{variable} is not set in the environment {looked}: copy .env.example to .env and edit it, or give "
                "selfChatBot_preprocess the files of your chats, and it makes one"
            )
        directories[stage] = _directory(variable, value, base)
    if not directories["raw"].is_dir():
        raise UsageError(f"selfChatBot_raw: {directories['raw']} is not a directory: create it or correct the variable")
    for one, other in permutations(STAGES, 2):
        if any(_is_same(directories[one], part) for part in (directories[other], *directories[other].parents)):
            raise UsageError(
                f"selfChatBot_{one} and selfChatBot_{other}: {directories[other]} is the same folder as "
                f"{directories[one]} or inside it: choose separate folders"
            )
    for stage in STAGES[1:]:
        try:
            directories[stage].mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"selfChatBot_{stage}: {directories[stage]} can't be created ({error.strerror}): correct the variable"
            ) from error
    return Environment(**directories)


def is_environment_set() -> bool:
    """Whether any of the three variables is set, by whatever means."""
    env_file = nearest_env_file(Path.cwd())
    values = {**(_read_env_file(env_file) if env_file else {}), **os.environ}
    return any(values.get(f"selfChatBot_{stage}") for stage in STAGES)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths mean the same place; they can differ in case."""
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _directory(variable: str, value: str, base: Path) -> Path:
    # In double quotes, a .env file takes the \n and \t of a Windows path for a new line and a tab.
    if CONTROL.search(value):
        raise UsageError(f"{variable}: {value!r} is no path: write it without quotes, or with / instead of \\")
    try:
        return (base / Path(value).expanduser()).resolve()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"{variable}: {value} can't be used ({error}): correct the variable") from error


def nearest_env_file(directory: Path) -> Path | None:
    """The ``.env`` in ``directory`` or the closest of its parents."""
    for parent in (directory, *directory.parents):
        if (parent / ".env").is_file():
            return parent / ".env"
    return None


def find_dataset(environment: Environment, dataset_id: str, stage: str) -> Dataset:
    """The dataset with this ID in the directory of ``stage`` (``raw``, ``preprocessed`` or ``results``).

    Raises UsageError if there is none (listing those that exist) or if two folders have the same ID (naming both), and
    SelfChatBotError if only an earlier stage has it (naming the command to run first).
    """
    directory: Path = getattr(environment, stage)
    folders = datasets(directory)
    same = [name for name in folders if _same_id(folders[name], dataset_id)]
    if len(same) > 1:
        raise UsageError(f"{directory}: {' and '.join(same)} have the same ID: rename or remove one of them")
    if same:
        return Dataset(id=dataset_id, folder=same[0], environment=environment)
    for index in reversed(range(STAGES.index(stage))):
        before: Path = getattr(environment, STAGES[index])
        if any(_same_id(number, dataset_id) for number in datasets(before).values()):
            command = f"selfChatBot_{COMMANDS[index]} -d {dataset_id}"
            raise SelfChatBotError(f"no Dataset_{dataset_id}_<Name> in {directory} yet: run {command}")
    there = f"there is: {', '.join(folders)}" if folders else "nor any other dataset"
    if near := _near_miss(directory, dataset_id, folders):
        there += f"; {near}"
    raise UsageError(f"no Dataset_{dataset_id}_<Name> in {directory}, {there}")


def conversations_file(preprocessed: Path, split: str) -> Path:
    """The conversations of ``split`` (train, validation or test) in a preprocessed folder.

    Raises SelfChatBotError when preprocess has not written them.
    """
    path = preprocessed / f"{split}.jsonl"
    if not path.is_file():
        match = DATASET_NAME.fullmatch(preprocessed.name)
        command = f"selfChatBot_preprocess -d {match[1]}" if match else "selfChatBot_preprocess"
        raise SelfChatBotError(f"{path} is not there: run {command}")
    return path


def datasets(directory: Path) -> dict[str, str]:
    """The IDs of the datasets in a directory, by folder name."""
    return {
        path.name: match[1]
        for path in sorted(directory.iterdir())
        if path.is_dir() and (match := DATASET_NAME.fullmatch(path.name))
    }


def _near_miss(directory: Path, dataset_id: str, folders: dict[str, str]) -> str | None:
    """What to type for a dataset given by its name, or what to rename: ``Dataset_Mia``, ``dataset_1_mia``."""
    for folder, number in folders.items():
        if dataset_id.casefold() in (folder.casefold(), folder.partition("_")[2].partition("_")[2].casefold()):
            return f"give its ID: -d {number}"
    for path in sorted(directory.iterdir()):
        match = ALMOST_DATASET.fullmatch(path.name)
        if not path.is_dir() or path.name.startswith(".") or DATASET_NAME.fullmatch(path.name) or not match:
            continue
        if _same_id(match[1], dataset_id) if match[1] else not folders:
            return f"rename {path.name} to Dataset_{dataset_id}_{match[2] or 'Name'}"
    return None


def _same_id(one: str, other: str) -> bool:
    if one.isdecimal() and other.isdecimal():
        one, other = one.lstrip("0"), other.lstrip("0")
    return one == other


def _read_env_file(path: Path) -> dict[str, str | None]:
    # No warnings about malformed lines in our output: a variable that is missing because of one is reported anyway.
    logging.getLogger("dotenv").setLevel(logging.ERROR)
    try:
        return dict(dotenv_values(path, encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
