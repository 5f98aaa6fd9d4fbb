"""How well a model predicts words that it never saw: mine and, with roles turned round, my contacts'.

A model that became me gains on my words and not on theirs: the difference is how much of the gain is me.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from selfchatbot.chat_format import IGNORED, Window
from selfchatbot.likeness.intervals import groups_of, percentile, ratio, resampled
from selfchatbot.likeness.result import Interval, Prediction, Text
from selfchatbot.likeness.run.model_pair import Modelled, Models
from selfchatbot.messages import ChatMessages

MOST_TOKENS = 8192
"""Read of each side by each model, context included: one to two minutes for all on two cores."""
OTHER_ROLE = {"user": "assistant", "assistant": "user", "system": "system"}


class Scored(NamedTuple):
    """One window of a conversation."""

    nats: float
    tokens: int
    """Predicted ones, ends of turns among them."""
    characters: int


@dataclass(frozen=True, slots=True)
class Side:
    """Windows of one side's words."""

    conversations: list[int]
    """Of each window."""
    scored: list[Scored]


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one model makes of the words of both sides; ``theirs`` may be empty."""

    mine: Side
    theirs: Side


def predict(
    models: Models,
    speaker: Modelled,
    conversations: Sequence[ChatMessages],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Predicted:
    """Read at most ``MOST_TOKENS`` of each side, in windows drawn from all ``conversations``, which hold words of mine.

    As in training, every reply is predicted after what came before it.
    """
    turned = [
        [{**message, "role": OTHER_ROLE[message["role"]]} for message in conversation] for conversation in conversations
    ]
    sides = [_windows(models, side) for side in (conversations, turned)]
    windows = [window for side in sides for window in side]

    def score(window: Window) -> Scored:
        from selfchatbot.player.engines.likelihood import of_window

        labels = [label for label in window.labels if label != IGNORED]
        nats = -of_window(models.loaded(speaker).model, window)
        return Scored(nats, len(labels), len(models.chat_format.reply(labels)))

    found = models.computed(
        "prediction",
        speaker,
        windows,
        windows,
        score,
        lambda done: on_progress(done, len(windows)),
    )
    numbers, scored = [window.conversation for window in windows], [Scored(*one) for one in found]
    count = len(sides[0])
    return Predicted(Side(numbers[:count], scored[:count]), Side(numbers[count:], scored[count:]))


def prediction(predicted: Predicted, gained: Interval | None, seed: int) -> Prediction:
    """The figures; ``gained`` is that of `own_gain`."""
    return Prediction(
        mine=_text(predicted.mine, seed),
        contacts=_text(predicted.theirs, seed) if predicted.theirs.scored else None,
        own_gain=gained,
    )


def own_gain(model: Predicted, base: Predicted, seed: int) -> Interval | None:
    """The share of bits that ``model`` saves on my words less that on the contacts' words, both against ``base``.

    Both read the same windows. None without words of the contacts.
    """
    if not model.theirs.scored:
        return None
    groups = groups_of([*model.mine.conversations, *model.theirs.conversations])
    mine, theirs = np.split(groups, [len(model.mine.scored)])
    nats = np.zeros((int(groups.max()) + 1, 4))
    columns = ((model.mine, mine), (base.mine, mine), (model.theirs, theirs), (base.theirs, theirs))
    for column, (side, places) in enumerate(columns):
        np.add.at(nats[:, column], places, [one.nats for one in side.scored])
    draws = resampled(len(nats), seed) @ nats
    draws = draws[(draws > 0).all(axis=1)]  # both sides were drawn
    value, found = (sums[..., 2] / sums[..., 3] - sums[..., 0] / sums[..., 1] for sums in (nats.sum(0), draws))
    return percentile(float(value), found, len(nats))


def _windows(models: Models, conversations: Sequence[ChatMessages]) -> list[Window]:
    """Some windows, in order, with a label at least."""
    windows = list(models.chat_format.windows(conversations, models.max_length))
    order = list(range(len(windows)))
    random.Random(models.seed).shuffle(order)
    chosen: list[int] = []
    tokens = 0
    for number in order:
        tokens += len(windows[number].input_ids)
        if chosen and tokens > MOST_TOKENS:
            break
        chosen.append(number)
    return [windows[number] for number in sorted(chosen)]


def _text(side: Side, seed: int) -> Text:
    groups = groups_of(side.conversations)
    sums = np.zeros((int(groups.max()) + 1, 3))
    np.add.at(sums, groups, np.array(side.scored, dtype=np.float64))
    nats, tokens, characters = sums.T
    draws = resampled(len(nats), seed)
    per_token = ratio(nats, tokens, draws)
    return Text(
        bits_per_character=ratio(nats / math.log(2), characters, draws),
        nats_per_token=per_token,
        perplexity=Interval(**{end: math.exp(nats) for end, nats in per_token}),
        tokens=int(tokens.sum()),
        characters=int(characters.sum()),
    )
