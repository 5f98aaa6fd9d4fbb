"""Taken for you: who does a classifier think wrote a reply, me or one of my contacts?

It learns from the training text and has never seen a model's reply, so it can't recognise one by a model's habits.
"""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from selfchatbot.likeness.measures.base import Explanation, Figure, SpeakerMeasure
from selfchatbot.likeness.report.phrasing import percent, share
from selfchatbot.likeness.report.sections import ForestPlot, Section, Tile, bars
from selfchatbot.likeness.run.contexts import TrainingTexts
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.features import StyleFeature
from selfchatbot.likeness.text.vectors import TextVectorizer
from selfchatbot.statistics import Groups, Interval, mean_interval

MAX_TURNS_PER_SIDE = 2000
"""Training takes seconds with this many, and more of them hardly change the result."""


class AuthorshipClassifier:
    """Tells me from my contacts, trained on an equal number of turns of each; neither side may be empty."""

    def __init__(self, training: TrainingTexts, features: Sequence[StyleFeature], seed: int) -> None:
        from sklearn.linear_model import LogisticRegression

        rng = random.Random(seed)
        sides = [[turn for turn in turns if turn] for turns in (training.contacts, training.mine)]
        count = min(MAX_TURNS_PER_SIDE, *map(len, sides))
        theirs, mine = (rng.sample(turns, count) for turns in sides)
        self._vectorizer = TextVectorizer([*theirs, *mine], features)
        self._classifier = LogisticRegression(C=10.0, solver="liblinear", random_state=seed)
        self._classifier.fit(self._vectorizer.transform([*theirs, *mine]), np.repeat([0, 1], count))

    def share(self, replies: Sequence[str], groups: Groups, seed: int) -> Interval:
        """Share of ``replies`` attributed to me."""
        return mean_interval(self._classifier.predict(self._vectorizer.transform(replies)), groups, seed)


class AuthorshipMeasure(SpeakerMeasure[Interval]):
    """Share of replies attributed to me."""

    key = "authorship"
    explanation = Explanation(
        title="Taken for you",
        what="A classifier of the same kind learns from your training replies and your contacts', an equal number of "
        "each, and then decides who wrote each test reply. It has never seen a reply by a model.",
        formula="share = replies attributed to you / replies",
        source="Stamatatos 2009, “A Survey of Modern Authorship Attribution Methods”",
        good="As high as your own row, which isn't 100 %: many short replies could be anybody's.",
        fools="It has to choose between you and them. Text that resembles neither lands on one side by chance, so the "
        "base model's share means little. A share above your own is a caricature, not a better likeness.",
    )
    summary = column = Figure("taken for you", percent)

    def measure(self, inputs: Inputs) -> dict[Speaker, Interval]:
        training = inputs.data.training
        if not any(training.contacts) or not any(training.mine):
            return {}
        classifier = AuthorshipClassifier(training, inputs.features, inputs.seed)
        return {
            speaker: classifier.share(texts, inputs.groups, inputs.seed) for speaker, texts in inputs.answers.items()
        }

    def tile(self, findings: Mapping[Speaker, Interval]) -> Tile | None:
        me, model = findings.get("me"), findings.get("model")
        if model is None:
            return None
        return Tile(share(model.value), "taken for you", f"your own replies: {share(me.value)}" if me else "")

    def section(self, findings: Mapping[Speaker, Interval]) -> Section:
        return Section(
            "Another program learned from the training text who you are and who your contacts are. This is the share "
            "of replies that it attributes to you.",
            [ForestPlot("Share of replies attributed to you", bars(findings, percent))],
        )
