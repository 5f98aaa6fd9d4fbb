"""The measures of likeness on cases with known answers: real replies of the sample, changed in one known way.

Each case must move the measures that it should, and no others.
"""

import json
import math
import pkgutil
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SAMPLE

from selfchatbot import likeness
from selfchatbot.conversations.stage import preprocess
from selfchatbot.environment import Dataset, Environment
from selfchatbot.likeness.measures.authorship import AuthorshipClassifier
from selfchatbot.likeness.measures.copying import Copying, TrainingIndex, copying
from selfchatbot.likeness.measures.discriminator import own_halves, separability, worst
from selfchatbot.likeness.measures.faults import health
from selfchatbot.likeness.measures.style import describe, largest
from selfchatbot.likeness.result import SpeakerResult
from selfchatbot.likeness.run.contexts import (
    Context,
    TrainingTexts,
    control_replies,
    few_shot,
    read_contexts,
    read_training,
)
from selfchatbot.likeness.text.distances import DISTINCT_WORDS, FeatureResult, measure_style
from selfchatbot.likeness.text.features import Reference, StyleFeature, style_features
from selfchatbot.messages import read_conversations
from selfchatbot.session.contacts import contact_names
from selfchatbot.statistics import Interval, bootstrap_groups
from selfchatbot.style import distance, style_of

SEED = 3
FULL_STOP = re.compile(r"(?<![.!?…])$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """The sample's chats with two fifths of them as the test split."""

    data: Path
    contexts: list[Context]
    names: frozenset[str]
    training: TrainingTexts
    features: tuple[StyleFeature, ...]
    author: AuthorshipClassifier
    training_index: TrainingIndex

    @property
    def me(self) -> list[str]:
        return [context.reply for context in self.contexts]

    @property
    def contacts(self) -> list[str]:
        return control_replies(self.contexts, self.names)

    @property
    def conversations(self) -> list[int]:
        return [context.conversation for context in self.contexts]


@dataclass(frozen=True)
class Case:
    """The results of all measures for somebody's replies compared with mine."""

    auc: Interval | None
    authorship: Interval
    mine: dict[str, FeatureResult]
    style: dict[str, FeatureResult]
    copying: Copying | None

    @property
    def moved(self) -> set[str]:
        """Features that are further away than chance makes me from myself, and surely not at 0."""
        return {
            name
            for name, feature in self.style.items()
            if feature.distance.value > self.mine[name].distance.high and feature.distance.low > 0
        }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("likeness")
    dataset = Dataset("1", SAMPLE.name, Environment(*(folder / stage for stage in ("raw", "preprocessed", "results"))))
    shutil.copytree(SAMPLE, dataset.raw)
    dataset.environment.preprocessed.mkdir()
    values = {"model": "m", "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}}, "test_fraction": 0.4}
    (dataset.raw / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    preprocess(dataset)
    data = dataset.preprocessed
    names = contact_names(data)
    training = read_training(data, names)
    features = style_features(Reference.of(training.mine, training.contacts))
    return Sample(
        data,
        read_contexts(data, 160, SEED),
        names,
        training,
        features,
        AuthorshipClassifier(training, features, SEED),
        TrainingIndex(training.mine),
    )


def measured(sample: Sample, theirs: list[str], me: list[str] | None = None, keys: list[int] | None = None) -> Case:
    mine, keys = me or sample.me, keys or sample.conversations
    groups = bootstrap_groups(keys)
    style = measure_style({"me": mine, "model": theirs}, groups, sample.features, SEED)
    return Case(
        separability(mine, theirs, groups, sample.features, SEED),
        sample.author.share(theirs, groups, SEED),
        style["me"],
        style["model"],
        copying(theirs, keys, sample.training_index, SEED),
    )


def with_full_stops(reply: str) -> str:
    return FULL_STOP.sub(".", reply)


def without_full_stops(reply: str) -> str:
    return re.sub(r"(?<!\.)\.(?!\.)", "", reply)


def test_me_against_me(sample: Sample) -> None:
    """Two sets of my replies, none in both, of the same conversations."""
    everything = read_contexts(sample.data, 10**6, SEED)
    one: list[str] = []
    other: list[str] = []
    keys: list[int] = []
    for conversation in sorted({context.conversation for context in everything}):
        mine = [context.reply for context in everything if context.conversation == conversation]
        random.Random(SEED).shuffle(mine)
        half = len(mine) // 2
        one, other, keys = one + mine[:half], other + mine[half : 2 * half], keys + [conversation] * half
    case = measured(sample, other, one, keys)
    assert case.auc is not None and case.auc.low <= 0.5 <= case.auc.high
    assert not case.moved
    assert case.authorship.value > 0.75
    assert case.copying is not None and case.copying.verbatim.value < 0.05
    halves = own_halves(one, bootstrap_groups(keys), sample.features, SEED)
    assert halves is not None and halves.low <= 0.5 <= halves.high


def test_me_against_others(sample: Sample) -> None:
    case = measured(sample, sample.contacts)
    assert case.auc is not None and case.auc.low > 0.65
    assert case.authorship.high < 0.5
    assert {"full_stop", "question", "messages"} <= case.moved
    sentence = describe("full_stop", case.mine["full_stop"], case.style["full_stop"], "control")
    assert re.fullmatch(r"you end [\d.]+ % of messages with a full stop, your contacts \d\d %", sentence)
    assert "full_stop" in largest(case.mine, case.style, 5)
    assert case.copying is not None and case.copying.verbatim.value == 0


def test_every_message_gets_a_full_stop(sample: Sample) -> None:
    case = measured(sample, [with_full_stops(reply) for reply in sample.me])
    assert case.moved == {"full_stop"}
    assert case.style["full_stop"].mean.value > 0.7
    assert largest(case.mine, case.style, 1) == ["full_stop"]
    same = set(case.style) - {"full_stop", "characters"}
    assert all(case.style[name].distance.value == pytest.approx(0, abs=1e-9) for name in same)
    assert case.auc is not None and case.auc.low > 0.95
    assert case.copying == measured(sample, sample.me).copying


def test_the_worst_are_those_that_were_changed(sample: Sample) -> None:
    half = [with_full_stops(reply) if place % 2 else reply for place, reply in enumerate(sample.me)]
    places = worst(sample.me, half, bootstrap_groups(sample.conversations), sample.features, SEED)
    assert sorted(places) == list(range(len(half)))
    assert sum(half[place] != sample.me[place] for place in places[:40]) >= 38


def test_every_full_stop_is_removed(sample: Sample) -> None:
    """The contacts stand for me here: I hardly use any."""
    case = measured(sample, [without_full_stops(reply) for reply in sample.contacts], sample.contacts)
    assert case.moved == {"full_stop"}
    assert case.style["full_stop"].mean.value == 0
    assert case.auc is not None and case.auc.low > 0.5


def test_copies_of_training_replies(sample: Sample) -> None:
    copies = random.Random(SEED).sample(sample.training.mine, len(sample.me))
    case = measured(sample, copies)
    assert case.copying is not None and case.copying.verbatim.value == case.copying.near.value == 1
    own = copying(sample.me, sample.conversations, sample.training_index, SEED)
    assert own is not None and own.verbatim.value < 0.05 and own.near.value < 0.1
    assert case.copying.longest_run > own.longest_run
    assert case.copying.mean_run.low > own.mean_run.high
    # They are mine in everything else.
    assert case.authorship.value > 0.9
    assert case.auc is not None and case.auc.low < 0.6


def test_replies_that_changed_places(sample: Sample) -> None:
    """Which reply belongs to which context is not what text alone can tell."""
    places: dict[int, list[str]] = {}
    for context in sample.contexts:
        places.setdefault(context.conversation, []).append(context.reply)
    for replies in places.values():
        random.Random(SEED).shuffle(replies)
    shuffled = [places[key].pop() for key in sample.conversations]
    assert shuffled != sample.me
    case = measured(sample, shuffled)
    assert all(feature.distance.value == pytest.approx(0, abs=1e-9) for feature in case.style.values())
    assert case.auc is not None and case.auc.value == pytest.approx(0.5)
    assert case.copying is not None
    assert case.copying == copying(sample.me, sample.conversations, sample.training_index, SEED)


def test_the_same_seed_gives_the_same_figures(sample: Sample) -> None:
    once, twice = (measured(sample, sample.contacts) for _ in range(2))
    assert once == twice
    assert read_contexts(sample.data, 50, 1) == read_contexts(sample.data, 50, 1)
    assert read_contexts(sample.data, 50, 1) != read_contexts(sample.data, 50, 2)


def test_contexts_are_spread_and_end_before_my_reply(sample: Sample) -> None:
    lines = list(read_conversations(sample.data / "test.jsonl"))
    for context in sample.contexts:
        conversation = lines[context.conversation - 1]
        turn = len(context.messages)
        assert context.messages == conversation[:turn]
        assert context.messages[-1]["role"] == "user" and conversation[turn]["role"] == "assistant"
        assert conversation[turn]["content"].strip() == context.reply
    few = read_contexts(sample.data, len(lines), SEED)
    assert {context.conversation for context in few} == {context.conversation for context in sample.contexts}
    examples = few_shot(sample.training, SEED)
    assert len(set(examples)) == 12 and set(examples) <= set(sample.training.mine)


def test_sampling_is_chosen_by_the_same_distances(sample: Sample) -> None:
    apart = distance(style_of(sample.contacts), style_of(sample.me))
    case = measured(sample, sample.contacts)
    for name, value in (
        ("characters", apart.length),
        ("messages", apart.messages),
        ("repeated_words", apart.repetition),
    ):
        assert case.style[name].distance.value == pytest.approx(value), name
    means = [case.style[DISTINCT_WORDS].mean.value, case.mine[DISTINCT_WORDS].mean.value]
    assert case.style[DISTINCT_WORDS].distance.value == pytest.approx(abs(math.log(means[0] / means[1])))


@pytest.mark.parametrize("keys", [[1, 1], [1, 2, 3], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]])
def test_hardly_any_replies_tell_nothing(sample: Sample, keys: list[int]) -> None:
    case = measured(sample, sample.me[len(keys) : 2 * len(keys)], sample.me[: len(keys)], keys)
    halves = own_halves(sample.me[: len(keys)], bootstrap_groups(keys), sample.features, SEED)
    for interval in (case.auc, halves):
        assert interval is not None and interval.low <= 0.5 <= interval.high
    assert measured(sample, ["", "\n"], ["", ""], [1, 2]).copying is None


def test_faults_are_counted_and_real_replies_have_none(sample: Sample) -> None:
    marks = ["<|im_start|>", "user", "assistant\n"]
    replies = ["", "hi <|im_start|>x", "ok\nuser\nhi", "moss.741: hi", "go on go on go on go on", "a\na\na\na", "fine"]
    finished = [True] * 6 + [False]
    found = health(replies, finished, marks, sample.names)
    assert (found.empty, found.truncated, found.looping, found.other_speaker, found.template) == (1, 1, 2, 1, 2)
    real = [*sample.me, *sample.contacts, "hahahahahahahahahaha", "no no no no", "ha ha ha ha ha ha ha ha ha"]
    clean = health(real, [True] * len(real), marks, sample.names)
    assert clean.model_dump() == {"replies": len(real)} | dict.fromkeys(list(clean.model_dump())[1:], 0)


def test_no_module_imports_torch() -> None:
    """What needs a model imports torch when it is called: the reports and the measures of texts work without it."""
    modules = [one.name for one in pkgutil.walk_packages(likeness.__path__, "selfchatbot.likeness.")]
    assert "selfchatbot.likeness.measures.discriminator" in modules
    imports = "; ".join(f"import {module}" for module in modules)
    subprocess.run([sys.executable, "-c", f"import sys; {imports}; assert 'torch' not in sys.modules"], check=True)


def test_the_json_holds_no_words() -> None:
    """Every field is a figure, or a name of ours."""
    for name, field in SpeakerResult.model_fields.items():
        assert "str]" not in str(field.annotation) and "str |" not in str(field.annotation), name
