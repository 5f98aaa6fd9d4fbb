"""Told apart by the judge: AUC of a classifier that sees what the judge thinks of each reply, and none of its letters.

Unlike the judge's preference, it loses nothing where the judge is partial: replies that it likes too much give the
model away just as those do that it dislikes. Never used to choose anything, so that it stays a test.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from selfchatbot.likeness.measures.base import Explanation, Figure, SpeakerMeasure, named
from selfchatbot.likeness.measures.discriminator import MIN_GROUPS, auc_interval, halves_auc, held_out_scores
from selfchatbot.likeness.parts import Part
from selfchatbot.likeness.report.phrasing import number, percent
from selfchatbot.likeness.report.sections import Rows, Section, Table
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.run.judging import Reading
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.statistics import Floats, Groups, Interval, bootstrap_groups, mean_interval


class ToldByJudge(Part):
    """How well a classifier tells replies from mine by what the judge and the small model think of them."""

    auc: Interval = Field(description="For me: half of my replies against the other half.")
    pairs: Interval | None = Field(
        None, description="Share of places where my reply, beside the speaker's, is recognised as mine; null for me."
    )


def told_apart(mine: Sequence[Reading], theirs: Sequence[Reading], groups: Groups, seed: int) -> ToldByJudge:
    """Both have one reading for each entry of ``groups``; those of one group are held out together."""
    from scipy.sparse import csr_matrix

    labels = np.repeat([1, 0], len(mine)).astype(np.intp)
    vectors = csr_matrix(_vectors([*mine, *theirs]))
    held_out = held_out_scores(vectors, labels, np.concatenate([groups, groups]), seed)
    found = (np.sign(held_out.scores[: len(mine)] - held_out.scores[len(mine) :]) + 1) / 2
    return ToldByJudge(auc=auc_interval([held_out], seed), pairs=mean_interval(found.tolist(), groups, seed))


def _vectors(readings: Sequence[Reading]) -> Floats:
    """Nats per token by the judge and by the small model, the score, log tokens: standardised, shape (readings, 4)."""
    table = np.array(
        [(one.judge / one.tokens, one.amateur / one.tokens, one.score, math.log(one.tokens)) for one in readings]
    )
    spread = table.std(axis=0)
    standardised: Floats = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return standardised


class ToldByJudgeMeasure(SpeakerMeasure[ToldByJudge]):
    """AUC and pairs, by what the judge thinks."""

    key = "told_by_judge"
    explanation = Explanation(
        title="Told apart by the judge",
        what="A second classifier sees no letters, but what the judge (--judge) and the small model think of each "
        "reply: how probable they find it in its conversation, and how long it is. Every conversation is scored by a "
        "classifier that saw none of it. Pairs: of your reply and the speaker's to one message, which one is yours?",
        formula="logistic regression on nats per token by both models, the score of “Makes sense” and log tokens; AUC "
        "as in “Told apart”; share of pairs in which your reply has the higher score",
        source="Gehrmann et al. 2019, “GLTR: Statistical Detection and Visualization of Generated Text”",
        good="0.5 and 50 %: no better than a coin toss.",
        fools="With 60 replies to learn from, it finds only what is plain. Blandness gives a model away as much as "
        "nonsense does.",
    )
    summary = column = Figure("told by judge", lambda one: number(one.auc))

    def measure(self, inputs: Inputs) -> dict[Speaker, ToldByJudge]:
        from scipy.sparse import csr_matrix

        judged = inputs.judged
        if judged is None:
            return {}
        groups = bootstrap_groups([inputs.conversations[place] for place in judged.contexts])
        if len(np.unique(groups)) < MIN_GROUPS:
            return {}
        mine = judged.readings["me"]
        found: dict[Speaker, ToldByJudge] = {}
        for speaker in inputs.answers:
            if speaker == "me":
                found[speaker] = ToldByJudge(auc=halves_auc(csr_matrix(_vectors(mine)), groups, inputs.seed))
            else:
                found[speaker] = told_apart(mine, judged.readings[speaker], groups, inputs.seed)
        return found

    def section(self, findings: Mapping[Speaker, ToldByJudge]) -> Section:
        rows: Rows = [(name, number(one.auc), percent(one.pairs)) for name, one in named(findings)]
        return Section(
            "Can replies be told from yours by what the judge thinks of them, whatever their letters are?",
            [Table("By what the judge thinks; 0.5 and 50 % are luck", ("who", "AUC", "yours found in a pair"), rows)],
        )
