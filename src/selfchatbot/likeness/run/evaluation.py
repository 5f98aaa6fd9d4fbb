"""One evaluation, step by step: what models say and how probable they find words, then what can be told from texts.

result = evaluate(dataset, dataset.results / "best", parameters)
"""

import importlib.metadata
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import cycle
from pathlib import Path

import selfchatbot
from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.intervals import groups_of
from selfchatbot.likeness.limits import DEFAULT_CONTEXTS, MIN_CONTEXTS
from selfchatbot.likeness.measures import copying
from selfchatbot.likeness.measures.authorship import Author
from selfchatbot.likeness.measures.context_fit import fit
from selfchatbot.likeness.measures.discriminator import own_halves, separability
from selfchatbot.likeness.measures.faults import health
from selfchatbot.likeness.measures.features import Reference, style_features
from selfchatbot.likeness.measures.leaks import PROBING, Private
from selfchatbot.likeness.measures.prediction import Predicted, own_gain, predict, prediction
from selfchatbot.likeness.measures.probing import Line, Scores, probe, probe_results
from selfchatbot.likeness.measures.style_distances import measure_style
from selfchatbot.likeness.report.examples import misses, spread
from selfchatbot.likeness.report.page import FILE_NAME as PAGE_NAME
from selfchatbot.likeness.report.page import write_page
from selfchatbot.likeness.result import (
    CanaryResult,
    Fitting,
    Interval,
    Leaks,
    Likeness,
    Run,
    Speaker,
    SpeakerResult,
    ValidationLoss,
)
from selfchatbot.likeness.run import history
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import (
    Answers,
    Context,
    Training,
    control_replies,
    few_shot,
    read_contexts,
    read_training,
)
from selfchatbot.likeness.run.model_pair import Modelled, Models
from selfchatbot.likeness.run.replies import Said, replies
from selfchatbot.messages import ChatMessages, introduction, read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import FILE_NAME, GenerationParameters, RawParameters, TrainingParameters, read_parameters
from selfchatbot.redaction import SEPARATOR
from selfchatbot.session.contacts import contact_names
from selfchatbot.trainer.metrics import FILE_NAME as METRICS_NAME
from selfchatbot.trainer.metrics import validations

MODELLED: tuple[Modelled, ...] = ("model", "base")
NOT_COMPARED = {
    *("model", "checkpoint_minutes", "gradient_checkpointing", "evaluations_per_epoch", "choose_sampling", "seed"),
}
"""Training parameters that make no difference to the model, or that the result has elsewhere or by another name."""
PACKAGES = ("torch", "transformers", "scikit-learn")

OnProgress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


@dataclass(slots=True)
class _Heard:
    """All that was computed of one model."""

    said: list[Said]
    asked: list[Said]
    """Its replies to probing prompts."""
    predicted: Predicted
    fitting: Fitting | None
    probes: list[Scores]


def evaluate(
    dataset: Dataset,
    checkpoint: Path,
    parameters: GenerationParameters,
    *,
    contexts: int = DEFAULT_CONTEXTS,
    seed: int = 0,
    examples: bool = True,
    probes: Sequence[Line] = (),
    canaries: tuple[CanaryResult, ...] | None = None,
    on_progress: OnProgress = lambda _what, _done, _of: None,
    machine: Machine | None = None,
) -> Likeness:
    """Compare a checkpoint with me on ``contexts`` places of the test conversations; write likeness.json and the page.

    What models compute is kept in results/likeness: a run that was ended goes on, another one finds it again. The page
    shows some replies, and private words with them, unless ``examples`` is False. ``canaries`` are put into the result
    as they come, see `selfchatbot.likeness.measures.canaries`.

    Raises SelfChatBotError where there are too few test replies, or a model can't be loaded.
    """
    taken: dict[str, float] = {}
    names = contact_names(dataset.preprocessed)
    places = read_contexts(dataset.preprocessed, contexts, seed)
    if len(places) < min(MIN_CONTEXTS, contexts):
        raise SelfChatBotError(
            f"{dataset.preprocessed / 'test.jsonl'}: only {len(places)} replies of yours to something, at least "
            f"{MIN_CONTEXTS} are needed: raise test_fraction in {dataset.raw / FILE_NAME}, "
            "then preprocess and train again"
        )
    training = read_training(dataset.preprocessed, names)
    models = Models(checkpoint, parameters, seed, Cache(dataset.results / history.FOLDER_NAME), machine)
    shown = few_shot(training, seed)
    heard: dict[Speaker, _Heard] = {}
    for speaker in MODELLED:
        with _timed(taken, speaker):
            heard[speaker] = _listen(models, speaker, dataset, places, shown, names, probes, on_progress)
    gained = own_gain(heard["model"].predicted, heard["base"].predicted, seed)
    with _timed(taken, "texts"):
        on_progress("comparing the texts", 0, 1)
        answers: Answers = {
            "me": [place.reply for place in places],
            **{speaker: [one.text for one in heard[speaker].said] for speaker in MODELLED},
            "control": control_replies(places, names),
        }
        found = _compared(answers, heard, gained, places, training, shown, models, names, dataset)
        on_progress("comparing the texts", 1, 1)
    result = Likeness(
        run=_run(dataset, checkpoint, parameters, seed, places, training, taken),
        speakers=found,
        canaries=canaries,
        probes=probe_results(probes, heard["model"].probes, heard["base"].probes) if probes else None,
    )
    history.keep(result, dataset.results)
    page = dataset.results / PAGE_NAME
    pairs = (spread(answers, places), misses(answers, places, training, seed)) if examples else ()
    write_page(page, result, history.runs(dataset.results), *pairs)
    page.chmod(0o600)
    return result


def _listen(
    models: Models,
    speaker: Modelled,
    dataset: Dataset,
    places: Sequence[Context],
    shown: Sequence[str],
    names: Collection[str],
    probes: Sequence[Line],
    on_progress: OnProgress,
) -> _Heard:
    who = "the model" if speaker == "model" else "the base model"
    told = [place.messages for place in places]
    said = replies(models, speaker, told + _asking(places), shown, names, partial(on_progress, f"{who} answers"))
    said, asked = said[: len(told)], said[len(told) :]
    conversations = list(read_conversations(dataset.preprocessed / "test.jsonl"))
    return _Heard(
        said,
        asked,
        predict(models, speaker, conversations, partial(on_progress, f"{who} reads the test conversations")),
        fit(models, speaker, places, [one.text for one in said], partial(on_progress, f"{who} finds replies")),
        probe(models, speaker, probes, partial(on_progress, f"{who} is probed")) if probes else [],
    )


def _compared(
    answers: Answers,
    heard: Mapping[Speaker, _Heard],
    gained: Interval | None,
    places: Sequence[Context],
    training: Training,
    shown: Sequence[str],
    models: Models,
    names: Collection[str],
    dataset: Dataset,
) -> dict[Speaker, SpeakerResult]:
    """All that needs texts only."""
    seed, marks = models.seed, models.chat_format.markers
    conversations = [place.conversation for place in places]
    groups = groups_of(conversations)
    features = style_features(Reference.of(training.mine, training.contacts))
    styles = measure_style(answers, groups, features, seed)
    author = Author(training, features, seed) if any(training.contacts) and any(training.mine) else None
    known = copying.Training(training.mine)
    trained = read_conversations(dataset.preprocessed / "train.jsonl")
    private = Private(map(SEPARATOR.join, map(_contents, trained)), names, _phone_region(dataset))
    told, asking = (list(map(_contents, some)) for some in ([place.messages for place in places], _asking(places)))
    found: dict[Speaker, SpeakerResult] = {}
    for speaker, texts in answers.items():
        model = heard.get(speaker)
        # A contact's reply is the last turn before mine.
        before = [turns[:-1] for turns in told] if speaker == "control" else told
        examples = list(shown) if speaker == "base" else []
        found[speaker] = SpeakerResult(
            replies=len(texts),
            style=styles[speaker],
            auc=own_halves(texts, groups, features, seed)
            if speaker == "me"
            else separability(answers["me"], texts, groups, features, seed),
            authorship=author.share(texts, groups, seed) if author else None,
            prediction=prediction(model.predicted, gained if speaker == "model" else None, seed) if model else None,
            fitting=model.fitting if model else None,
            copying=copying.copying(texts, conversations, known, seed),
            leaks=Leaks(
                neutral=private.count(texts, [examples + turns for turns in before]),
                probing=private.count([one.text for one in model.asked], [examples + turns for turns in asking])
                if model
                else None,
            ),
            health=health([one.made for one in model.said], [one.finished for one in model.said], marks, names)
            if model
            else health(texts, [True] * len(texts), marks, names),
        )
    return found


def _asking(places: Sequence[Context]) -> list[ChatMessages]:
    """The probing prompts, each as the beginning of a conversation."""
    return [
        [*introduction(place.messages), {"role": "user", "content": prompt}]
        for prompt, place in zip(PROBING, cycle(places), strict=False)
    ]


def _contents(messages: ChatMessages) -> list[str]:
    return [message["content"] for message in messages]


def _run(
    dataset: Dataset,
    checkpoint: Path,
    parameters: GenerationParameters,
    seed: int,
    places: Sequence[Context],
    training: Training,
    taken: dict[str, float],
) -> Run:
    settings = parameters.model_dump(exclude={"model", "seed", "num_return_sequences"})
    with suppress(SelfChatBotError):  # it may be gone; what was trained is there all the same
        trained = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters)
        settings = {**trained.model_dump(exclude=NOT_COMPARED), "training_seed": trained.seed, **settings}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Run(
        dataset=dataset.folder,
        checkpoint=checkpoint.name,
        model=parameters.model,
        base=f"{parameters.model}, shown some messages of mine",
        seed=seed,
        contexts=len(places),
        conversations=len({place.conversation for place in places}),
        training_replies=len(training.mine),
        parameters={name: value for name, value in settings.items() if isinstance(value, str | int | float)},
        validation=tuple(_validations(dataset.results / METRICS_NAME)),
        versions={"selfchatbot": selfchatbot.__version__, **versions},
        seconds={step: round(seconds, 1) for step, seconds in taken.items()},
        finished=datetime.now().isoformat(timespec="seconds"),
    )


def _validations(metrics: Path) -> Iterator[ValidationLoss]:
    with suppress(ValueError):  # a loss that is no number has no place in a result
        for record in validations(metrics):
            yield ValidationLoss(epoch=record["epoch"], loss=record["validation_loss"])


def _phone_region(dataset: Dataset) -> str | None:
    with suppress(SelfChatBotError):
        return read_parameters(dataset.raw / FILE_NAME, RawParameters).redact.phone_region
    return None


@contextmanager
def _timed(taken: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    taken[step] = time.perf_counter() - started
