"""Prediction: how well a model predicts held-out words, mine and, with the roles swapped, my contacts'.

A model that has become me gains on my words and not on theirs; the difference is the personal gain.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pydantic import Field

from selfchatbot.chat_format import IGNORED, Window
from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure, named
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.phrasing import number, percent, share
from selfchatbot.likeness.report.sections import Rows, Section, Table
from selfchatbot.likeness.run.inputs import Inputs, ModelRun
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.speakers import ModelSpeaker, Speaker
from selfchatbot.messages import ChatMessages, read_conversations
from selfchatbot.statistics import Interval, bootstrap_counts, bootstrap_groups, percentile_interval, ratio_interval

MAX_TOKENS_PER_SIDE = 8192
"""Read by each model, contexts included: one to two minutes for everything on two cores."""
OTHER_ROLE = {"user": "assistant", "assistant": "user", "system": "system"}


class HeldOutText(Part):
    """How well some held-out words are predicted."""

    bits_per_character: Interval
    nats_per_token: Interval
    perplexity: Interval = Field(description="exp(nats per token), for this model's tokenizer.")
    tokens: int
    characters: int


class Prediction(Part):
    """How well a model predicts words it has never seen, each in its context."""

    mine: HeldOutText
    contacts: HeldOutText | None = Field(
        description="The contacts' words, with the roles swapped; null where there are none."
    )
    personal_gain: Interval | None = Field(
        None,
        alias="own_gain",
        description="For the model: the share of bits saved against the base model on my words, minus the share saved "
        "on the contacts' words.",
    )


class WindowScore(NamedTuple):
    """One window of a conversation."""

    nats: float
    tokens: int
    """Predicted tokens, including the ends of turns."""
    characters: int


@dataclass(frozen=True, slots=True)
class Side:
    """Windows with one side's words."""

    conversations: list[int]
    """The conversation of each window."""
    scores: list[WindowScore]


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """How probable one model finds the words of both sides; ``theirs`` may be empty."""

    mine: Side
    theirs: Side


def predict(
    pair: ModelPair,
    speaker: ModelSpeaker,
    conversations: Sequence[ChatMessages],
    on_progress: OnProgress = lambda _done, _of: None,
) -> Likelihoods:
    """Read at most ``MAX_TOKENS_PER_SIDE`` of each side, in windows drawn from all ``conversations``.

    As in training, each reply is predicted after the turns before it.
    """
    swapped = [
        [{**message, "role": OTHER_ROLE[message["role"]]} for message in conversation] for conversation in conversations
    ]
    sides = [_windows(pair, side) for side in (conversations, swapped)]
    windows = [window for side in sides for window in side]

    def score(window: Window) -> WindowScore:
        from selfchatbot.player.engines.likelihood import window_log_probability

        labels = [label for label in window.labels if label != IGNORED]
        nats = -window_log_probability(pair.loaded(speaker).model, window)
        return WindowScore(nats, len(labels), len(pair.chat_format.reply(labels)))

    found = pair.computed("prediction", speaker, windows, windows, score, lambda done: on_progress(done, len(windows)))
    numbers, scores = [window.conversation for window in windows], [WindowScore(*one) for one in found]
    count = len(sides[0])
    return Likelihoods(Side(numbers[:count], scores[:count]), Side(numbers[count:], scores[count:]))


def personal_gain(model: Likelihoods, base: Likelihoods, seed: int) -> Interval | None:
    """The share of bits that ``model`` saves on my words minus the share on the contacts' words, against ``base``.

    Both models read the same windows. None where the contacts wrote nothing.
    """
    if not model.theirs.scores:
        return None
    groups = bootstrap_groups([*model.mine.conversations, *model.theirs.conversations])
    mine, theirs = np.split(groups, [len(model.mine.scores)])
    nats = np.zeros((int(groups.max()) + 1, 4))
    sides = ((model.mine, mine), (base.mine, mine), (model.theirs, theirs), (base.theirs, theirs))
    for column, (side, places) in enumerate(sides):
        np.add.at(nats[:, column], places, [one.nats for one in side.scores])
    draws = bootstrap_counts(len(nats), seed) @ nats
    draws = draws[(draws > 0).all(axis=1)]  # resamples that hold words of both sides
    value, resampled = (sums[..., 2] / sums[..., 3] - sums[..., 0] / sums[..., 1] for sums in (nats.sum(0), draws))
    return percentile_interval(float(value), resampled, len(nats))


def _windows(pair: ModelPair, conversations: Sequence[ChatMessages]) -> list[Window]:
    """A random choice of windows, in the order of the conversations."""
    windows = list(pair.chat_format.windows(conversations, pair.max_length))
    order = list(range(len(windows)))
    random.Random(pair.seed).shuffle(order)
    chosen: list[int] = []
    tokens = 0
    for index in order:
        tokens += len(windows[index].input_ids)
        if chosen and tokens > MAX_TOKENS_PER_SIDE:
            break
        chosen.append(index)
    return [windows[index] for index in sorted(chosen)]


def _text(side: Side, seed: int) -> HeldOutText:
    groups = bootstrap_groups(side.conversations)
    sums = np.zeros((int(groups.max()) + 1, 3))
    np.add.at(sums, groups, np.array(side.scores, dtype=np.float64))
    nats, tokens, characters = sums.T
    counts = bootstrap_counts(len(nats), seed)
    per_token = ratio_interval(nats, tokens, counts)
    return HeldOutText(
        bits_per_character=ratio_interval(nats / math.log(2), characters, counts),
        nats_per_token=per_token,
        perplexity=Interval(*map(math.exp, (per_token.value, per_token.low, per_token.high))),
        tokens=int(tokens.sum()),
        characters=int(characters.sum()),
    )


def chats_not_me(findings: Mapping[Speaker, Prediction], _: Run) -> str | None:
    """The contacts' words became cheaper by at least as large a share as the person's."""
    model, base = findings.get("model"), findings.get("base")
    if not model or not base or not model.contacts or not base.contacts:
        return None
    mine = 1 - model.mine.bits_per_character.value / base.mine.bits_per_character.value
    theirs = 1 - model.contacts.bits_per_character.value / base.contacts.bits_per_character.value
    if not 0 < mine <= theirs:
        return None
    return (
        f"It learned how people chat more than how you do: your words cost {share(mine)} fewer bits than before, your "
        f"contacts' words {share(theirs)}. More of your own replies would help."
    )


class PredictionMeasure(SpeakerMeasure[Prediction]):
    """Bits per character of held-out words."""

    key = "prediction"
    explanation = Explanation(
        title="Prediction",
        what="How probable the model finds what you and your contacts wrote in the test conversations, each turn after "
        "the turns before it. For your contacts' words the roles are swapped.",
        formula="bits per character = −Σ log₂ P(token | before) / characters; perplexity = exp(nats per token); "
        "personal gain = (1 − bits / the base model's bits) on your words − the same on your contacts' words",
        source="Shannon 1951, “Prediction and Entropy of Printed English”; Jelinek et al. 1977 (perplexity)",
        good="Fewer bits than the base model on your words, and a larger saving than on your contacts' words. What is "
        "saved on both comes from knowing how people chat, not from knowing you.",
        fools="Perplexity is per token, so it compares only between models with the same tokenizer; bits "
        "per character always compare. Fewer bits don't make better conversation: a model can predict you well and "
        "still write dull replies.",
    )
    step = "reads the test conversations"
    summary = column = Figure("bits/character", lambda one: number(one.mine.bits_per_character))
    rules = (Rule(Priority.UNDERSTANDING, "more of your own replies", chats_not_me),)

    def run_model(self, run: ModelRun) -> Likelihoods:
        conversations = list(read_conversations(run.data.folder / "test.jsonl"))
        return predict(run.pair, run.speaker, conversations, run.on_progress)

    def measure(self, inputs: Inputs) -> dict[Speaker, Prediction]:
        likelihoods: dict[ModelSpeaker, Likelihoods] = {
            speaker: outputs.computed[self.key] for speaker, outputs in inputs.outputs.items()
        }
        gain = personal_gain(likelihoods["model"], likelihoods["base"], inputs.seed)
        return {
            speaker: Prediction(
                mine=_text(sides.mine, inputs.seed),
                contacts=_text(sides.theirs, inputs.seed) if sides.theirs.scores else None,
                personal_gain=gain if speaker == "model" else None,
            )
            for speaker, sides in likelihoods.items()
        }

    def section(self, findings: Mapping[Speaker, Prediction]) -> Section:
        rows: Rows = []
        for name, one in named(findings):
            for whose, text in (("your words", one.mine), ("your contacts' words", one.contacts)):
                if text:
                    rows.append((f"{name}: {whose}", number(text.bits_per_character), number(text.perplexity, 1)))
        model = findings.get("model")
        gain = model.personal_gain if model else None
        head = ("model and words", "bits per character", "perplexity")
        return Section(
            "How well each model predicts words it has never seen; fewer bits are better. A model that has become you "
            "gains on your words, and less on your contacts' words."
            + (f" The share of bits saved is larger on your words by {percent(gain, 1)}." if gain else ""),
            [Table("Held-out words of the test conversations", head, rows)],
        )
