"""Does a reply belong to its context? Rank of the true one among others of mine.

They are ranked by how much more probable a context makes them: the log-probability in it less that without any
(pointwise mutual information; Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation
Models"). Without that, short and frequent replies would be first everywhere.

Contexts are taken in groups of 21, in each of which the true replies are the candidates of all, so that one reading of
a group gives both measures: a context's own reply among the others but one, and that one, which belongs to another
context, likewise: the control, which must be chance.
"""

import random
from collections.abc import Callable, Iterable, Sequence

from selfchatbot.likeness.intervals import groups_of, mean
from selfchatbot.likeness.result import Fitting, Interval
from selfchatbot.likeness.run.contexts import Context
from selfchatbot.likeness.run.model_pair import Modelled, Models
from selfchatbot.likeness.run.replies import context_prompt
from selfchatbot.messages import ChatMessages
from selfchatbot.style import words_of

CANDIDATES = 20
GROUP = CANDIDATES + 1
GROUPS = 2
"""42 contexts: more would take longer than everything else."""
SHORTEST = 4
"""Words: a shorter reply fits nearly everywhere."""
MOST_TOKENS = 40
"""Of a candidate that is longer, so many are looked at."""
TEXTS = 64
"""Scored at once where there is no context."""


def fit(
    models: Models,
    speaker: Modelled,
    contexts: Sequence[Context],
    own: Sequence[str],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Fitting | None:
    """By the likelihood of ``speaker``, whose ``own`` replies to ``contexts`` are ranked as well.

    None with fewer than 21 different true replies of at least ``SHORTEST`` words.
    """
    chosen = _chosen(contexts, models.seed)
    if not chosen:
        return None
    here = [contexts[number] for number in chosen]
    said = [own[number] for number in chosen]
    everywhere = range(len(here))
    gains = _gains(models, speaker, here, said, on_progress)
    true: list[float] = []
    shuffled: list[float] = []
    generated: dict[int, float] = {}
    for place, row in enumerate(gains):
        own_place = place % GROUP
        exchanged = (own_place + 1) % GROUP
        others = [row[index] for index in range(GROUP) if index not in (own_place, exchanged)]
        true.append(_reciprocal_rank(row[own_place], others))
        shuffled.append(_reciprocal_rank(row[exchanged], others))
        if long_enough(said[place]):
            generated[place] = _reciprocal_rank(row[GROUP], others)

    def average(ranks: Sequence[float], places: Iterable[int]) -> Interval:
        interval = mean(ranks, groups_of([here[place].conversation for place in places]), models.seed)
        assert interval is not None  # there are some
        return interval

    return Fitting(
        contexts=len(here),
        candidates=CANDIDATES,
        chance=sum(1 / rank for rank in range(1, CANDIDATES + 1)) / CANDIDATES,
        mean_reciprocal_rank=average(true, everywhere),
        top1=average([float(value == 1) for value in true], everywhere),
        shuffled=average(shuffled, everywhere),
        generated=average(list(generated.values()), generated) if generated else None,
    )


def long_enough(reply: str) -> bool:
    """Whether a reply says enough to fit better here than there."""
    return len(words_of(reply)) >= SHORTEST


def _chosen(contexts: Sequence[Context], seed: int) -> list[int]:
    """Numbers of contexts with different replies, in groups whose order is by chance; as many as make whole groups."""
    different = {
        context.reply.casefold(): number for number, context in enumerate(contexts) if long_enough(context.reply)
    }
    numbers = sorted(different.values())
    count = min(GROUPS, len(numbers) // GROUP) * GROUP
    return random.Random(seed).sample(numbers, count)


def _gains(
    models: Models,
    speaker: Modelled,
    contexts: Sequence[Context],
    own: Sequence[str],
    on_progress: Callable[[int, int], None],
) -> list[list[float]]:
    """Nats that each context adds to the true replies of its group and, last, to the speaker's own reply to it."""
    replies = [context.reply for context in contexts]
    rows = []
    for place in range(len(contexts)):
        start = place - place % GROUP
        rows.append([*replies[start : start + GROUP], own[place]])
    texts = sorted({text for row in rows for text in row})
    chat_format = models.chat_format
    turns = {text: chat_format.turn(text)[:MOST_TOKENS] for text in texts}

    def piece(messages: ChatMessages, texts: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """A prompt, and what is scored after it."""
        prompt = context_prompt(chat_format, messages, max(models.window - MOST_TOKENS, models.window // 2))
        return prompt, [turns[text] for text in texts]

    pieces = [piece([], texts[start : start + TEXTS]) for start in range(0, len(texts), TEXTS)]
    alone = len(pieces)
    pieces += [piece(context.messages, row) for context, row in zip(contexts, rows, strict=True)]

    def score(piece: tuple[list[int], list[list[int]]]) -> list[float]:
        from selfchatbot.player.engines.likelihood import of_continuations

        return of_continuations(models.loaded(speaker).model, *piece)

    found = models.computed(
        "fitting",
        speaker,
        pieces,
        pieces,
        score,
        lambda done: on_progress(done, len(pieces)),
    )
    without = dict(zip(texts, [value for values in found[:alone] for value in values], strict=True))
    return [
        [value - without[text] for value, text in zip(values, row, strict=True)]
        for values, row in zip(found[alone:], rows, strict=True)
    ]


def _reciprocal_rank(gain: float, others: Sequence[float]) -> float:
    """1 for the first; equal ones share their places."""
    return 1 / (1 + sum(other > gain for other in others) + sum(other == gain for other in others) / 2)
