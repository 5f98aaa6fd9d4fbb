"""One evaluation, step by step: both models run, the measures compare, the result is written.

result = evaluate(dataset, dataset.results / "best", parameters)
"""

import importlib.metadata
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import selfchatbot
from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.limits import DEFAULT_CONTEXTS, MIN_CONTEXTS
from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.canaries import CanaryResult
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.parts import Run, ValidationLoss
from selfchatbot.likeness.report.examples import misses, spread
from selfchatbot.likeness.report.page import PAGE_FILE, write_page
from selfchatbot.likeness.result import Likeness, SpeakerResult
from selfchatbot.likeness.run import history
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import control_replies, few_shot, read_contexts, read_training
from selfchatbot.likeness.run.inputs import EvaluationData, Inputs, ModelOutputs, ModelRun, ProbeLine
from selfchatbot.likeness.run.judge_models import TorchJudge
from selfchatbot.likeness.run.judging import HOT_SAMPLING, Judged, can_judge, judge_replies, judged_places
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnStep
from selfchatbot.likeness.run.replies import generate_replies
from selfchatbot.likeness.speakers import MODEL_SPEAKERS, SPEAKER_NAMES, ModelSpeaker, Speaker
from selfchatbot.messages import read_contacts
from selfchatbot.models import Machine, load_tokenizer
from selfchatbot.parameters import (
    FILE_NAME,
    GenerationParameters,
    RawParameters,
    TrainingParameters,
    Trait,
    read_parameters,
)
from selfchatbot.runs import run_name
from selfchatbot.session.contacts import contact_names
from selfchatbot.trainer.metrics import METRICS_NAME, validations

PACKAGES = ("torch", "transformers", "scikit-learn")


def evaluate(
    dataset: Dataset,
    checkpoint: Path,
    parameters: GenerationParameters,
    *,
    contexts: int = DEFAULT_CONTEXTS,
    seed: int = 0,
    examples: bool = True,
    probes: Sequence[ProbeLine] = (),
    canaries: tuple[CanaryResult, ...] | None = None,
    judge: str | None = None,
    on_progress: OnStep = lambda _step, _done, _of: None,
    machine: Machine | None = None,
) -> Likeness:
    """Compare a checkpoint with me at ``contexts`` places of the test conversations; write likeness.json and the page.

    What models compute is kept in results/likeness, so an interrupted evaluation resumes and a later one reuses it.
    The page shows some replies, and private words with them, unless ``examples`` is False. ``canaries`` come from
    `selfchatbot.likeness.run.canary_training`. ``judge`` names a larger model that reads the replies: a hub name, a
    folder or a GGUF file. Without it the base model does, where that is much larger than the embedded one.

    Raises SelfChatBotError where there are too few test replies, or a model can't be loaded.
    """
    seconds: dict[str, float] = {}
    data = _read(dataset, contexts, seed, probes, canaries)
    pair = ModelPair(checkpoint, parameters, seed, Cache(dataset.results / history.HISTORY_FOLDER), machine)
    outputs: dict[ModelSpeaker, ModelOutputs] = {}
    is_judged = judge is not None or can_judge(parameters.model)
    hot: list[str] = []
    for speaker in MODEL_SPEAKERS:
        with _timed(seconds, speaker):
            outputs[speaker] = _run_model(pair, speaker, data, on_progress)
            if is_judged and speaker == "model":
                hot = _hot_replies(pair, data, on_progress)
    inputs = _inputs(data, outputs, pair)
    if is_judged:
        with _timed(seconds, "judge"):
            inputs = replace(inputs, judged=_judged(judge, pair, inputs, hot, on_progress))
    pair.unload()
    with _timed(seconds, "texts"):
        on_progress("comparing the texts", 0, 1)
        found = _measure(inputs)
        on_progress("comparing the texts", 1, 1)
    result = Likeness(run=_run(dataset, checkpoint, parameters, data, seconds), **found)
    history.keep(result, dataset.results)
    seeing = inputs.judged if result.reader is not None and result.reader.sees else None
    shown = (spread(inputs, seeing), misses(inputs, seeing)) if examples else ()
    page = dataset.results / PAGE_FILE
    write_page(page, result, history.runs(dataset.results), *shown)
    page.chmod(0o600)
    return result


def _read(
    dataset: Dataset,
    contexts: int,
    seed: int,
    probes: Sequence[ProbeLine],
    canaries: tuple[CanaryResult, ...] | None,
) -> EvaluationData:
    names = contact_names(dataset.preprocessed)
    places = read_contexts(dataset.preprocessed, contexts, seed)
    if len(places) < min(MIN_CONTEXTS, contexts):
        raise SelfChatBotError(
            f"{dataset.preprocessed / 'test.jsonl'}: only {len(places)} replies of yours to other people, at least "
            f"{MIN_CONTEXTS} are needed: raise test_fraction in {dataset.raw / FILE_NAME}, then preprocess and train "
            "again"
        )
    training = read_training(dataset.preprocessed, names)
    return EvaluationData(
        folder=dataset.preprocessed,
        contexts=places,
        training=training,
        few_shot=few_shot(training, seed),
        names=names,
        seed=seed,
        phone_region=_phone_region(dataset),
        probes=probes,
        canaries=canaries,
    )


def _run_model(pair: ModelPair, speaker: ModelSpeaker, data: EvaluationData, on_progress: OnStep) -> ModelOutputs:
    """Everything that needs one of the models, while it is in memory."""
    who = SPEAKER_NAMES[speaker].name
    prompts = {measure.key: measure.prompts(data) for measure in MEASURES}
    contexts = [context.messages for context in data.contexts]
    generated = generate_replies(
        pair,
        speaker,
        contexts + [prompt for some in prompts.values() for prompt in some],
        data.few_shot,
        data.names,
        partial(on_progress, f"{who} answers"),
    )
    replies, rest = generated[: len(contexts)], iter(generated[len(contexts) :])
    texts = [reply.text for reply in replies]
    return ModelOutputs(
        replies=replies,
        prompted={key: [next(rest) for _ in some] for key, some in prompts.items()},
        computed={
            measure.key: measure.run_model(
                ModelRun(pair, speaker, data, texts, partial(on_progress, f"{who} {measure.step}"))
            )
            for measure in MEASURES
        },
    )


def _hot_replies(pair: ModelPair, data: EvaluationData, on_progress: OnStep) -> list[str]:
    """What the model says where the judge reads, at a temperature at which it makes no sense."""
    contexts = [data.contexts[number].messages for number in judged_places(len(data.contexts))]
    step = partial(on_progress, "the model answers at random")
    parameters = pair.parameters.model_copy(update=HOT_SAMPLING)
    return [reply.text for reply in generate_replies(pair, "model", contexts, [], data.names, step, parameters)]


def _judged(judge: str | None, pair: ModelPair, inputs: Inputs, hot: Sequence[str], on_progress: OnStep) -> Judged:
    """What the judge thinks of the replies: the model of that name, or else the base model, which is in memory."""
    rest = (inputs.data.contexts, inputs.answers, hot, pair.cache, pair.machine, pair.seed, on_progress)
    if judge is not None:
        pair.unload()
        return judge_replies(judge, *rest)
    base = pair.parameters.model
    return judge_replies(base, *rest, load=lambda: TorchJudge(pair.loaded("base").model, load_tokenizer(base)))


def _inputs(data: EvaluationData, outputs: dict[ModelSpeaker, ModelOutputs], pair: ModelPair) -> Inputs:
    model, base = ([reply.text for reply in outputs[speaker].replies] for speaker in MODEL_SPEAKERS)
    return Inputs(
        data=data,
        answers={
            "me": [context.reply for context in data.contexts],
            "model": model,
            "base": base,
            "control": control_replies(data.contexts, data.names),
        },
        outputs=outputs,
        template_marks=pair.chat_format.markers,
    )


def _measure(inputs: Inputs) -> dict[str, Any]:
    """The fields of a `Likeness` that are computed from texts and model outputs."""
    whole: dict[str, Any] = {}
    by_speaker: dict[Speaker, dict[str, Any]] = {
        speaker: {"replies": len(texts)} for speaker, texts in inputs.answers.items()
    }
    for measure in MEASURES:
        found = measure.measure(inputs)
        if isinstance(measure, SpeakerMeasure):
            for speaker, fields in by_speaker.items():
                fields[measure.key] = found.get(speaker) if found else None
        else:
            whole[measure.key] = found
    return {"speakers": {speaker: SpeakerResult(**fields) for speaker, fields in by_speaker.items()}, **whole}


def _run(
    dataset: Dataset,
    checkpoint: Path,
    parameters: GenerationParameters,
    data: EvaluationData,
    seconds: dict[str, float],
) -> Run:
    settings = parameters.model_dump(exclude={"model", "seed", "num_return_sequences"})
    with suppress(SelfChatBotError):  # the file may be gone, while the checkpoint is still there
        trained = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters)
        settings = {
            **trained.model_dump(exclude=trained.fields_with(Trait.NOT_COMPARED)),
            "training_seed": trained.seed,
            **settings,
        }
    conversations = {context.conversation for context in data.contexts}
    contacts = enumerate(read_contacts(dataset.preprocessed / "test.jsonl"), 1)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Run(
        dataset=dataset.folder,
        name=run_name(dataset.results),
        checkpoint=checkpoint.name,
        model=parameters.model,
        base=f"{parameters.model}, shown some messages of mine",
        seed=data.seed,
        contexts=len(data.contexts),
        conversations=len(conversations),
        contacts=len({contact for number, contact in contacts if contact and number in conversations}),
        training_replies=len(data.training.mine),
        parameters={name: value for name, value in settings.items() if isinstance(value, str | int | float)},
        validation=tuple(_validations(dataset.results / METRICS_NAME)),
        versions={"selfchatbot": selfchatbot.__version__, **versions},
        seconds={step: round(taken, 1) for step, taken in seconds.items()},
        finished=datetime.now().isoformat(timespec="seconds"),
    )


def _validations(metrics: Path) -> Iterator[ValidationLoss]:
    with suppress(ValueError):  # a loss that isn't a number
        for record in validations(metrics):
            yield ValidationLoss(epoch=record["epoch"], loss=record["validation_loss"])


def _phone_region(dataset: Dataset) -> str | None:
    with suppress(SelfChatBotError):
        return read_parameters(dataset.raw / FILE_NAME, RawParameters).redact.phone_region
    return None


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started
