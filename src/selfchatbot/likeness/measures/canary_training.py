"""A training of its own, with made-up secrets among the words: `selfChatBot_play -t evaluate --canaries`."""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

from selfchatbot.environment import Dataset
from selfchatbot.likeness.measures.canaries import insert, make_canaries
from selfchatbot.likeness.measures.extraction import extract
from selfchatbot.likeness.result import CanaryResult
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.evaluation import OnProgress
from selfchatbot.likeness.run.history import FOLDER_NAME
from selfchatbot.likeness.run.model_pair import Models
from selfchatbot.messages import introduction, read_conversations
from selfchatbot.parameters import FILE_NAME, GenerationParameters, TrainingParameters, read_parameters


def train_with_canaries(
    dataset: Dataset, parameters: GenerationParameters, seed: int, on_progress: OnProgress
) -> tuple[CanaryResult, ...]:
    """Train as parameters.json says, see what comes out, and throw the model away; the figures are kept.

    A training that was ended goes on where it was.
    """
    training = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters)
    texts = dataset.preprocessed / "train.jsonl"
    depends_on = {
        "texts": hashlib.sha256(texts.read_bytes()).hexdigest(),
        "training": training.model_dump(mode="json"),
        "playing": parameters.model_dump(mode="json"),
        "seed": seed,
    }
    folder = dataset.results / FOLDER_NAME
    work = folder / "canaries"

    def run(_: int) -> list[dict[str, object]]:
        from selfchatbot.models import quiet

        quiet()  # before the import, which is where bitsandbytes complains
        from selfchatbot.trainer import Trainer

        canaries = make_canaries(seed)
        conversations = insert(list(read_conversations(texts)), canaries, seed)
        system = introduction(conversations[0])
        _write(work, dataset, conversations)
        on_progress("training with made-up secrets", 0, 1)
        Trainer(
            training,
            work,
            work / "results",
            lambda progress: on_progress("training with made-up secrets", progress.step, progress.steps),
        ).train()
        models = Models(work / "results" / "best", parameters, seed, Cache(work), None)
        found = extract(models, canaries, system, partial(on_progress, "asking for the made-up secrets"))
        return [result.model_dump() for result in found]

    (results,) = Cache(folder).computed("canaries", depends_on, [0], run)
    shutil.rmtree(work, ignore_errors=True)
    return tuple(CanaryResult(**result) for result in results)


def _write(folder: Path, dataset: Dataset, conversations: list[list[dict[str, str]]]) -> None:
    """The data of a training; what else the lines say stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(dataset.preprocessed / "validation.jsonl", folder)
    with (
        (dataset.preprocessed / "train.jsonl").open(encoding="utf-8", newline="\n") as lines,
        (folder / "train.jsonl").open("w", encoding="utf-8", newline="\n") as file,
    ):
        for line, messages in zip((line for line in lines if line.strip()), conversations, strict=True):
            file.write(json.dumps({**json.loads(line), "messages": messages}, ensure_ascii=False) + "\n")
