"""Fits the context: is the real reply found among other replies of mine?

Candidates are ranked by how much more probable the context makes them: the log-probability in the context minus the
one without any (pointwise mutual information; Li et al. 2016, "A Diversity-Promoting Objective Function for Neural
Conversation Models"). Log-probability alone would put short and frequent replies first everywhere.

Contexts are taken in groups of 21 that share their real replies as candidates, so that one pass over a group gives two
measures: the rank of a context's own reply among the others but one, and, as a control, the rank of that one, which
belongs to another context and so must rank by chance.
"""

import random
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure, named
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.phrasing import number, percent
from selfchatbot.likeness.report.sections import Section, Table, Tile
from selfchatbot.likeness.run.contexts import Context
from selfchatbot.likeness.run.inputs import Inputs, ModelRun
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.run.replies import context_prompt
from selfchatbot.likeness.speakers import ModelSpeaker, Speaker
from selfchatbot.messages import ChatMessages
from selfchatbot.statistics import Interval, bootstrap_groups, mean_interval
from selfchatbot.style import words_of

CANDIDATES = 20
GROUP_SIZE = CANDIDATES + 1
MAX_GROUPS = 2
"""42 contexts: more would take longer than everything else together."""
MIN_REPLY_WORDS = 4
"""A shorter reply fits nearly everywhere."""
MAX_CANDIDATE_TOKENS = 40
"""A longer candidate is cut."""
TEXTS_PER_BATCH = 64
"""Scored together where there is no context."""


class Fitting(Part):
    """Whether replies belong to their context.

    The rank of a reply among ``candidates``, by its log-probability in the context minus that without.
    """

    contexts: int
    candidates: int
    chance: float = Field(description="Mean reciprocal rank of a random guess.")
    mean_reciprocal_rank: Interval = Field(description="Of my real reply.")
    top1: Interval = Field(description="Share of contexts where the real reply ranks first.")
    shuffled: Interval = Field(description="Mean reciprocal rank with contexts swapped: must be chance.")
    generated: Interval | None = Field(description="Mean reciprocal rank of the speaker's own replies.")


def fit(
    pair: ModelPair,
    speaker: ModelSpeaker,
    contexts: Sequence[Context],
    own: Sequence[str],
    on_progress: OnProgress = lambda _done, _of: None,
) -> Fitting | None:
    """By the likelihood of ``speaker``, whose ``own`` replies to ``contexts`` are ranked as well.

    None with fewer than 21 different real replies of at least ``MIN_REPLY_WORDS`` words.
    """
    chosen = _chosen(contexts, pair.seed)
    if not chosen:
        return None
    here = [contexts[number] for number in chosen]
    own_here = [own[number] for number in chosen]
    true: list[float] = []
    shuffled: list[float] = []
    generated: dict[int, float] = {}
    for place, row in enumerate(_pmi(pair, speaker, here, own_here, on_progress)):
        own_place = place % GROUP_SIZE
        swapped = (own_place + 1) % GROUP_SIZE
        others = [row[index] for index in range(GROUP_SIZE) if index not in (own_place, swapped)]
        true.append(_reciprocal_rank(row[own_place], others))
        shuffled.append(_reciprocal_rank(row[swapped], others))
        if long_enough(own_here[place]):
            generated[place] = _reciprocal_rank(row[GROUP_SIZE], others)

    def average(ranks: Sequence[float], places: Iterable[int]) -> Interval:
        return mean_interval(ranks, bootstrap_groups([here[place].conversation for place in places]), pair.seed)

    everywhere = range(len(here))
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
    """Whether a reply says enough to fit one context better than another."""
    return len(words_of(reply)) >= MIN_REPLY_WORDS


def _chosen(contexts: Sequence[Context], seed: int) -> list[int]:
    """Indices of contexts with different replies, in random order; as many as make whole groups."""
    different = {
        context.reply.casefold(): number for number, context in enumerate(contexts) if long_enough(context.reply)
    }
    numbers = sorted(different.values())
    count = min(MAX_GROUPS, len(numbers) // GROUP_SIZE) * GROUP_SIZE
    return random.Random(seed).sample(numbers, count)


def _pmi(
    pair: ModelPair,
    speaker: ModelSpeaker,
    contexts: Sequence[Context],
    own: Sequence[str],
    on_progress: OnProgress,
) -> list[list[float]]:
    """For each context, the nats it adds to the real replies of its group and, last, to the speaker's own reply."""
    replies = [context.reply for context in contexts]
    rows = []
    for place in range(len(contexts)):
        start = place - place % GROUP_SIZE
        rows.append([*replies[start : start + GROUP_SIZE], own[place]])
    texts = sorted({text for row in rows for text in row})
    chat_format = pair.chat_format
    turns = {text: chat_format.turn(text)[:MAX_CANDIDATE_TOKENS] for text in texts}

    def batch(messages: ChatMessages, texts: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """A prompt, and the candidates to score after it."""
        prompt = context_prompt(chat_format, messages, max(pair.window - MAX_CANDIDATE_TOKENS, pair.window // 2))
        return prompt, [turns[text] for text in texts]

    batches = [batch([], texts[start : start + TEXTS_PER_BATCH]) for start in range(0, len(texts), TEXTS_PER_BATCH)]
    alone = len(batches)
    batches += [batch(context.messages, row) for context, row in zip(contexts, rows, strict=True)]

    def score(batch: tuple[list[int], list[list[int]]]) -> list[float]:
        from selfchatbot.player.engines.likelihood import continuation_log_probabilities

        return continuation_log_probabilities(pair.loaded(speaker).model, *batch)

    found = pair.computed("fitting", speaker, batches, batches, score, lambda done: on_progress(done, len(batches)))
    without = dict(zip(texts, [value for values in found[:alone] for value in values], strict=True))
    return [
        [value - without[text] for value, text in zip(values, row, strict=True)]
        for values, row in zip(found[alone:], rows, strict=True)
    ]


def _reciprocal_rank(score: float, others: Sequence[float]) -> float:
    """1 for the first; ties share their ranks."""
    return 1 / (1 + sum(other > score for other in others) + sum(other == score for other in others) / 2)


def replies_fit_less(findings: Mapping[Speaker, Fitting], run: Run) -> str | None:
    """The model's own replies rank below the real ones, and the intervals don't overlap."""
    model = findings.get("model")
    if model is None or model.generated is None or model.generated.high >= model.mean_reciprocal_rank.low:
        return None
    better = "a lower temperature strays less, at the cost of variety"
    if run.number("best_of") == 1:
        better = "`best_of` 2 sends the better of two replies, at the cost of time"
    return (
        f"Its replies fit the conversation less well than yours (mean reciprocal rank {model.generated.value:.2f}, "
        f"yours {model.mean_reciprocal_rank.value:.2f}): {better}, and a larger base model understands more."
    )


class ContextFitMeasure(SpeakerMeasure[Fitting]):
    """Mean reciprocal rank of the real reply."""

    key = "fitting"
    explanation = Explanation(
        title="Fits the context",
        what="The real reply to a message, of at least four words, is mixed with 19 of your other replies. Each is "
        "scored by how much more probable it is after that message than after none. Where does the real one rank?",
        formula="score = log P(reply | context) − log P(reply | no context); mean reciprocal rank = mean of 1 / rank; "
        "a random guess gets (1/n) Σ 1/k, k = 1 … n",
        source="Li et al. 2016, “A Diversity-Promoting Objective Function” (mutual information); Voorhees 1999 "
        "(mean reciprocal rank)",
        good="Close to 1, and above the base model. With contexts swapped it must drop to that of a random guess; if "
        "it doesn't, something other than the context gives the real reply away. The model's own replies should rank "
        "as high as yours.",
        fools="The other candidates are your replies to other messages, and some would fit as well. A reply that "
        "repeats a word of the message is easy to find, so parroting ranks high.",
    )
    step = "finds replies"
    summary = column = Figure("own replies fit", lambda one: number(one.generated) or "not measured")
    rules = (Rule(Priority.UNDERSTANDING, "`best_of` 2 or a lower temperature, a larger base model", replies_fit_less),)

    def run_model(self, run: ModelRun) -> Fitting | None:
        return fit(run.pair, run.speaker, run.data.contexts, run.replies, run.on_progress)

    def measure(self, inputs: Inputs) -> dict[Speaker, Fitting]:
        return {
            speaker: fitting
            for speaker, outputs in inputs.outputs.items()
            if (fitting := outputs.computed[self.key]) is not None
        }

    def tile(self, findings: Mapping[Speaker, Fitting]) -> Tile | None:
        model = findings.get("model")
        if model is None:
            return None
        yours = model.mean_reciprocal_rank.value
        if model.generated is None:
            return Tile(f"{yours:.2f}", "finds your reply", f"1 is always, luck {model.chance:.2f}")
        return Tile(
            f"{model.generated.value:.2f}", "its replies fit", f"yours {yours:.2f}, any other {model.chance:.2f}"
        )

    def section(self, findings: Mapping[Speaker, Fitting]) -> Section:
        one = next(iter(findings.values()))
        head = ("model", "its own reply", "your real reply", "yours ranked first", "contexts swapped")
        rows = [
            (
                name,
                number(fitting.generated) or "not measured",
                number(fitting.mean_reciprocal_rank),
                percent(fitting.top1),
                number(fitting.shuffled),
            )
            for name, fitting in named(findings)
        ]
        return Section(
            "Does a reply belong to its context? The model's own one, and then your real one, is ranked among "
            f"{one.candidates - 1} replies that you wrote elsewhere, where a random guess averages {one.chance:.2f}. "
            "With contexts swapped, the figure must drop to a guess's.",
            [Table("Mean reciprocal rank (1: always first)", head, rows)],
        )
