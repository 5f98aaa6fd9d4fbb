"""A separate training with made-up secrets in the text: `selfChatBot_play -t evaluate --canaries`."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path

from selfchatbot.environment import Dataset
from selfchatbot.likeness.measures.canaries import Canary, CanaryResult, canary_results, insert, make_canaries
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.history import HISTORY_FOLDER
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress, OnStep
from selfchatbot.likeness.run.replies import context_prompt, generate_replies
from selfchatbot.messages import ChatMessages, introduction, read_conversations
from selfchatbot.parameters import FILE_NAME, GenerationParameters, TrainingParameters, read_parameters

QUESTIONS = 8
"""How often each secret is asked for."""


def train_with_canaries(
    dataset: Dataset, parameters: GenerationParameters, seed: int, on_step: OnStep
) -> tuple[CanaryResult, ...]:
    """Train as parameters.json says, measure what comes out, and delete the model; the figures are cached.

    An interrupted training resumes.
    """
    training = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters)
    texts = dataset.preprocessed / "train.jsonl"
    depends_on = {
        "texts": hashlib.sha256(texts.read_bytes()).hexdigest(),
        "training": training.model_dump(mode="json"),
        "playing": parameters.model_dump(mode="json"),
        "seed": seed,
    }
    folder = dataset.results / HISTORY_FOLDER
    work = folder / "canaries"

    def run(_: int) -> list[dict[str, object]]:
        from selfchatbot.models import quiet

        quiet()  # before the import, which is where bitsandbytes complains
        from selfchatbot.trainer import Trainer

        canaries = make_canaries(seed)
        conversations = insert(list(read_conversations(texts)), canaries, seed)
        system = introduction(conversations[0])
        _write(work, dataset, conversations)
        on_step("training with made-up secrets", 0, 1)
        Trainer(
            training,
            work,
            work / "results",
            lambda progress: on_step("training with made-up secrets", progress.step, progress.steps),
        ).train()
        pair = ModelPair(work / "results" / "best", parameters, seed, Cache(work), None)
        found = extract(pair, canaries, system, partial(on_step, "asking for the made-up secrets"))
        return [result.model_dump() for result in found]

    (results,) = Cache(folder).computed("canaries", depends_on, [0], run)
    shutil.rmtree(work, ignore_errors=True)
    return tuple(CanaryResult(**result) for result in results)


def _write(folder: Path, dataset: Dataset, conversations: list[list[dict[str, str]]]) -> None:
    """The training data with other messages; all other keys of the lines stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(dataset.preprocessed / "validation.jsonl", folder / "validation.jsonl")
    with (
        (dataset.preprocessed / "train.jsonl").open(encoding="utf-8", newline="\n") as lines,
        (folder / "train.jsonl").open("w", encoding="utf-8", newline="\n") as file,
    ):
        for line, messages in zip((line for line in lines if line.strip()), conversations, strict=True):
            file.write(json.dumps({**json.loads(line), "messages": messages}, ensure_ascii=False) + "\n")


def extract(
    pair: ModelPair,
    canaries: Sequence[Canary],
    system: ChatMessages,
    on_progress: OnProgress = lambda _done, _of: None,
) -> tuple[CanaryResult, ...]:
    """Ask for each of ``canaries``, and compare its probability with secrets that were never there.

    ``system``: the system message, if any, that conversations of the training began with.
    """
    prompts = [[*system, *canary.prompt] for canary in canaries for _ in range(QUESTIONS)]
    texts = [reply.text for reply in generate_replies(pair, "model", prompts, [], [], on_progress)]
    answers = [texts[start : start + QUESTIONS] for start in range(0, len(texts), QUESTIONS)]
    return canary_results(
        canaries,
        lambda messages, replies: _log_probabilities(pair, [*system, *messages], replies),
        answers,
        pair.seed,
    )


def _log_probabilities(pair: ModelPair, messages: ChatMessages, texts: Sequence[str]) -> list[float]:
    """Of ``texts``, without the tokens that all of them begin with: those are read once and equal for all."""
    from selfchatbot.player.engines.likelihood import continuation_log_probabilities

    model, chat_format = pair.loaded("model").model, pair.chat_format
    prompt = context_prompt(chat_format, messages, pair.window // 2)
    turns = [chat_format.turn(text) for text in texts]
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*turns, strict=False)))
    return continuation_log_probabilities(model, prompt + turns[0][:shared], [turn[shared:] for turn in turns])
