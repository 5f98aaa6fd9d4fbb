"""What has changed since conversations were written or a model was trained, and is not in them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import fingerprint, read_small
from selfchatbot.parameters import FILE_NAME, TrainingParameters, read_parameters

RECORD_NAME = "training.json"
"""In best/ and final/: the parameters and the SHA-256 of the conversations that they were trained with."""
CONVERSATIONS = "train.jsonl"


def since_preprocess(dataset: Dataset) -> Iterator[str]:
    """One line if the raw parameters were edited after preprocess read them."""
    edited, written = dataset.raw / FILE_NAME, dataset.preprocessed / "summary.json"
    with suppress(OSError):
        if edited.stat().st_mtime > written.stat().st_mtime:
            yield f"{edited} was edited after selfChatBot_preprocess ran, which has to run again to apply it"


def since_training(dataset: Dataset, checkpoint: Path) -> Iterator[str]:
    """One line about the conversations, and one about the training parameters, if they are not those of a model."""
    if not trained_on(dataset, checkpoint):
        yield f"the conversations have changed since {checkpoint.name}/ was trained: train again to use them"
    trained = record(checkpoint / RECORD_NAME).get("parameters")
    with suppress(SelfChatBotError):
        now = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters).model_dump(mode="json")
        if changed := [key for key in now if isinstance(trained, dict) and now[key] != trained.get(key, now[key])]:
            yield f"changed since {checkpoint.name}/ was trained: {', '.join(changed)}; train again to apply that"


def trained_on(dataset: Dataset, checkpoint: Path) -> bool:
    """Whether a model, or the checkpoint of an unfinished run, was trained on the conversations as they are now.

    Where nothing says so, in a model of an older version, the times of the files decide. Conversations that are gone
    have not changed.
    """
    conversations = dataset.preprocessed / CONVERSATIONS
    if not conversations.is_file():
        return True
    state = record(checkpoint / "state.json")
    data = (state["run"] if isinstance(state.get("run"), dict) else record(checkpoint / RECORD_NAME)).get("data")
    if not isinstance(data, dict):
        return written(checkpoint) >= conversations.stat().st_mtime
    return bool(data.get(CONVERSATIONS) == fingerprint(conversations))


def written(path: Path) -> float:
    """When a file, or the newest one in a folder, was written: seconds since 1970; 0 for an empty folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return max((file.stat().st_mtime for file in files), default=0.0)


def record(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        values = json.loads(read_small(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
