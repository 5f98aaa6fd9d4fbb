"""Told apart: can a classifier tell a speaker's replies from mine? Area under the ROC curve: 0.5 is chance, 1 always.

Logistic regression on character n-grams and style features; every conversation is scored by a classifier that was
trained on the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure
from selfchatbot.likeness.parts import Run
from selfchatbot.likeness.report.phrasing import number, of_10
from selfchatbot.likeness.report.sections import ForestPlot, Section, Tile, bars
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.features import StyleFeature
from selfchatbot.likeness.text.vectors import TextVectorizer
from selfchatbot.statistics import Floats, Groups, Interval, bootstrap_counts, percentile_interval, rule_of_three

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS = 5
MIN_GROUPS = 2
"""With fewer groups, nothing can be held out."""
HALVINGS = 5
"""Ways to halve my own replies; the mean is taken, since a single split varies a lot."""
ROUGH_WIDTH = 0.2
"""Of an AUC's interval. A wider one spans from a coin toss to half-way to certainty, so the verdict shows its ends."""
WIDE = 0.15
"""Of an AUC's interval: the distance between a good model and a mediocre one."""
FEW_TRAINING_REPLIES = 2_000
"""Up to about this many of my replies, doubling them helps more than any setting."""


def separability(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[StyleFeature], seed: int
) -> Interval | None:
    """AUC of telling ``theirs`` from ``mine``; both have one reply for each entry of ``groups``.

    The two replies to one context are always held out together, with the rest of their conversation, so neither topic
    nor number gives anything away. The interval resamples conversations for one set of classifiers. None with a single
    group.
    """
    if len(np.unique(groups)) < MIN_GROUPS:
        return None
    return auc_interval([_score_pairs(mine, theirs, groups, features, seed)], seed)


def worst(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[StyleFeature], seed: int
) -> list[int]:
    """Indices of ``theirs``, the ones that look least like mine to the classifiers of `separability` first.

    Empty with a single group.
    """
    if len(np.unique(groups)) < MIN_GROUPS:
        return []
    scores = _score_pairs(mine, theirs, groups, features, seed).scores[len(mine) :]
    return [int(index) for index in np.argsort(scores, kind="stable")]


def own_halves(mine: Sequence[str], groups: Groups, features: Sequence[StyleFeature], seed: int) -> Interval | None:
    """AUC of telling half of my replies from the other half, split within each conversation: it must be 0.5.

    The interval shows where one such AUC may lie. It is rather wide, as each side has half the replies that
    `separability` has. None with a single group.
    """
    if len(np.unique(groups)) < MIN_GROUPS:
        return None
    return halves_auc(TextVectorizer(mine, features).transform(mine), groups, seed)


def halves_auc(texts: "csr_matrix", groups: Groups, seed: int) -> Interval:
    """`own_halves` for texts as rows of ``texts``; at least ``MIN_GROUPS`` groups."""
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(HALVINGS):
        labels = np.zeros(len(groups), dtype=np.intp)
        extra = int(rng.integers(2))
        for group in np.unique(groups):
            places = rng.permutation(np.flatnonzero(groups == group))
            labels[places[: (len(places) + extra) // 2]] = 1
            # The odd reply of a group goes to either side in turn.
            extra = (extra + len(places)) % 2
        halves.append(held_out_scores(texts, labels, groups, seed))
    return auc_interval(halves, seed)


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Texts of two speakers, each scored by a classifier that saw no text of its group."""

    scores: Floats
    """How much each looks like label 1: log-odds."""
    labels: Groups
    """0 or 1."""
    groups: Groups
    folds: Groups
    """Texts of one fold were scored by the same classifier; only these are compared."""

    def wins(self) -> tuple[Floats, Floats]:
        """By pair of groups, shape (groups, groups): wins of label 1 over label 0 (ties half), and comparisons."""
        one, other = (np.flatnonzero(self.labels == label) for label in (1, 0))
        same_fold = (self.folds[one][:, None] == self.folds[other]).astype(np.float64)
        won = same_fold * (np.sign(self.scores[one][:, None] - self.scores[other]) + 1) / 2
        member = np.eye(int(self.groups.max()) + 1)[self.groups]
        wins, pairs = (member[one].T @ table @ member[other] for table in (won, same_fold))
        return wins, pairs


def _score_pairs(
    mine: Sequence[str], theirs: Sequence[str], groups: Groups, features: Sequence[StyleFeature], seed: int
) -> HeldOutScores:
    texts = [*mine, *theirs]
    labels = np.repeat([1, 0], len(mine)).astype(np.intp)
    vectors = TextVectorizer(texts, features).transform(texts)
    return held_out_scores(vectors, labels, np.concatenate([groups, groups]), seed)


def held_out_scores(texts: "csr_matrix", labels: Groups, groups: Groups, seed: int) -> HeldOutScores:
    """Score the rows of ``texts``, each by a classifier that was trained on the other folds of groups."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    result = HeldOutScores(np.zeros(len(labels)), labels, groups, np.zeros(len(labels), dtype=np.intp))
    folds = GroupKFold(min(FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    for fold, (training, held_out) in enumerate(folds.split(texts, labels, groups)):
        result.folds[held_out] = fold
        if len(np.unique(labels[training])) < 2:
            continue  # nothing to learn from so few: all scores stay equal
        classifier = LogisticRegression(C=10.0, solver="liblinear", random_state=seed)
        result.scores[held_out] = classifier.fit(texts[training], labels[training]).decision_function(texts[held_out])
    return result


def auc_interval(splits: Sequence[HeldOutScores], seed: int) -> Interval:
    """Mean AUC of several splits, and where one of them may lie when conversations are resampled.

    AUC is the share of pairs in the right order (Mann and Whitney 1947). Only pairs within a fold are compared: scores
    of different classifiers have no common scale. Two speakers who write alike get 0.5 on average, by symmetry.
    """
    tables = [split.wins() for split in splits]
    value = fmean(float(wins.sum() / pairs.sum()) if pairs.any() else 0.5 for wins, pairs in tables)
    counts = bootstrap_counts(len(tables[0][0]), seed)
    resampled = []
    for wins, pairs in tables:
        won, total = (np.einsum("rg,gh,rh->r", counts, table, counts, optimize=True) for table in (wins, pairs))
        resampled.append(np.divide(won, total, out=np.full(len(counts), value), where=total > 0))
    fewest = min(int((split.labels == label).sum()) for split in splits for label in (0, 1))
    return rule_of_three(percentile_interval(value, np.concatenate(resampled), len(counts[0])), fewest)


def more_chats(findings: Mapping[Speaker, Interval], run: Run) -> str | None:
    """Fewer than 2,000 training replies, and the model is told apart."""
    model = findings.get("model")
    if model is None or model.low <= 0.5 or run.training_replies >= FEW_TRAINING_REPLIES:
        return None
    return f"It was trained on {run.training_replies:,} of your replies: more chats help more than any setting."


def more_contexts(findings: Mapping[Speaker, Interval], run: Run) -> str | None:
    """The interval of the AUC is wider than 0.15."""
    model = findings.get("model")
    if model is None or model.high - model.low <= WIDE:
        return None
    return (
        f"These figures are rough: {run.contexts} replies from {run.conversations} conversations. More chats and a "
        "larger `test_fraction` make them sharper; don't decide by small differences."
    )


class DiscriminatorMeasure(SpeakerMeasure[Interval]):
    """AUC against my replies."""

    key = "auc"
    explanation = Explanation(
        title="Told apart",
        what="A classifier compares replies that you really wrote with one other speaker's replies to the same "
        "messages (for your contacts: what they wrote just before you) and scores how much each looks like yours. "
        "Logistic regression on character n-grams (1 to 4, TF-IDF) and the style features, in five folds: every "
        "conversation is scored by a classifier that saw none of it.",
        formula="AUC = P(score of a real reply > score of one of theirs) + ½ P(equal), over pairs scored by the same "
        "classifier. For you: your replies split into halves within each conversation, the mean of five such splits.",
        source="Mann and Whitney 1947; Lopez-Paz and Oquab 2017, “Revisiting Classifier Two-Sample Tests”",
        good="0.5, no better than a coin toss. Your own halves show how far from 0.5 chance alone gets. Your contacts' "
        "figure shows how different people are; below it, the model is closer to you than they are.",
        fools="This is one classifier with a few hundred replies to learn from. A better one, or more replies, may "
        "find what it missed, so figures from tests of different sizes don't compare. It sees how things are said and "
        "hardly notices whether they make sense. Copied training replies look perfect to it: check copying as well.",
    )
    summary = column = Figure("told apart", number)
    rules = (
        Rule(Priority.DATA, "more chats", more_chats),
        Rule(Priority.DATA, "the figures are rough", more_contexts),
    )

    def measure(self, inputs: Inputs) -> dict[Speaker, Interval]:
        mine, groups, features, seed = inputs.answers["me"], inputs.groups, inputs.features, inputs.seed
        found: dict[Speaker, Interval] = {}
        for speaker, texts in inputs.answers.items():
            if speaker == "me":
                auc = own_halves(mine, groups, features, seed)
            else:
                auc = separability(mine, texts, groups, features, seed)
            if auc:
                found[speaker] = auc
        return found

    def headline(self, findings: Mapping[Speaker, Interval]) -> str:
        """How alike the model is; a difference counts only where the intervals don't overlap."""
        model, base, control = (findings.get(speaker) for speaker in ("model", "base", "control"))
        if model is None:
            return "There are too few test replies to say how alike it is."
        is_rough = model.high - model.low > ROUGH_WIDTH
        guesses = " to ".join(f"{10 * end:.0f}" for end in ((model.low, model.high) if is_rough else (model.value,)))
        told_apart = f"told apart in {guesses} of 10 guesses, where 5 is chance."
        if not is_rough and model.low <= 0.5:
            return f"By the words alone it can't be told from you: {told_apart}"
        if control and model.high < control.low:
            still = "" if model.low <= 0.5 else "still "
            return f"Its wording is closer to yours than your friends' is; {still}{told_apart}"
        if is_rough:
            return f"Too few test replies to be sure: {told_apart}"
        if base and model.high >= base.low:
            return (
                "Its wording is no closer to yours than the base model's, which only saw a few of your messages: "
                + told_apart
            )
        if control and model.low > control.high:
            return f"Its wording is further from yours than your friends' is; {told_apart}"
        if control:
            return f"Its wording is about as close to yours as your friends' is; {told_apart}"
        return f"Its wording is closer to yours than the base model's; {told_apart}" if base else f"It is {told_apart}"

    def tile(self, findings: Mapping[Speaker, Interval]) -> Tile | None:
        model = findings.get("model")
        note = "a program that saw both guesses right; 5 is luck"
        return Tile(of_10(model.value), "told apart", note) if model else None

    def section(self, findings: Mapping[Speaker, Interval]) -> Section:
        rows = [bar._replace(name="you, by halves") if bar.speaker == "me" else bar for bar in bars(findings, number)]
        caption = "Area under the ROC curve against your replies; the dashed line is 0.5"
        return Section(
            "A program was shown replies that you really wrote, and each other speaker's replies to the same messages. "
            "This is how often it ranks one of yours above one of theirs: 0.5 is a coin toss, 1 is every time.",
            [ForestPlot(caption, rows, from_half=True)],
        )
