"""How well a model predicts words that it never saw: mine and, with roles turned round, my contacts'.

A model that became me gains on my words and not on theirs: the difference is how much of the gain is me.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from selfchatbot.chat_format import IGNORED, Window
from selfchatbot.likeness.intervals import groups_of, ratio, resampled
from selfchatbot.likeness.result import Interval, Prediction, Text
from selfchatbot.likeness.speakers import Modelled, Models
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


def predict(
    models: Models,
    speaker: Modelled,
    conversations: Sequence[ChatMessages],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Prediction:
    """Of at most ``MOST_TOKENS`` of each side, in windows drawn from all ``conversations``, which hold words of mine.

    As in training, every reply is predicted after what came before it.
    """
    turned = [
        [{**message, "role": OTHER_ROLE[message["role"]]} for message in conversation] for conversation in conversations
    ]
    sides = [_windows(models, side) for side in (conversations, turned)]
    windows = [window for side in sides for window in side]

    def score(window: Window) -> Scored:
        from selfchatbot.likeness.likelihood import of_window

        labels = [label for label in window.labels if label != IGNORED]
        nats = -of_window(models.loaded(speaker).model, window)
        return Scored(nats, len(labels), len(models.chat_format.reply(labels)))

    found = models.cache.computed(
        f"prediction-{speaker}",
        [models.identity(speaker), windows],
        windows,
        score,
        lambda done: on_progress(done, len(windows)),
    )
    mine, theirs = found[: len(sides[0])], found[len(sides[0]) :]
    return Prediction(
        mine=_text(sides[0], mine, models.seed), contacts=_text(sides[1], theirs, models.seed) if theirs else None
    )


def _windows(models: Models, conversations: Sequence[ChatMessages]) -> list[Window]:
    """Some windows, in order, with a label at least."""
    windows = list(models.chat_format.windows(conversations, models.parameters.max_length))
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


def _text(windows: Sequence[Window], scored: Sequence[Scored], seed: int) -> Text:
    groups = groups_of([window.conversation for window in windows])
    sums = np.zeros((int(groups.max()) + 1, 3))
    np.add.at(sums, groups, np.array(scored, dtype=np.float64))
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
