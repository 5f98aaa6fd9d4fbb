"""What measures are computed from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selfchatbot.likeness.run.contexts import Answers, Context, TrainingTexts
from selfchatbot.likeness.run.judging import Judged
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.run.replies import GeneratedReply
from selfchatbot.likeness.speakers import ModelSpeaker
from selfchatbot.likeness.text.features import Reference, StyleFeature, style_features
from selfchatbot.statistics import Groups, bootstrap_groups

if TYPE_CHECKING:
    from selfchatbot.likeness.measures.canaries import CanaryResult


class ProbeLine(NamedTuple):
    """One line of the file given to --probe."""

    number: int
    """From 1."""
    text: str


@dataclass(frozen=True)
class EvaluationData:
    """What is known before any model runs."""

    folder: Path
    """The preprocessed data."""
    contexts: Sequence[Context]
    training: TrainingTexts
    few_shot: Sequence[str]
    """My messages that the base model is shown."""
    names: Collection[str]
    """Names that precede the messages of others in groups."""
    seed: int
    phone_region: str | None = None
    """As in `selfchatbot.parameters.RedactOptions`."""
    probes: Sequence[ProbeLine] = ()
    canaries: "tuple[CanaryResult, ...] | None" = None
    """Results of the separate training with canaries, if there was one."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One of the two models while it runs."""

    pair: ModelPair
    speaker: ModelSpeaker
    data: EvaluationData
    replies: Sequence[str]
    """Its answers to the contexts."""
    on_progress: OnProgress


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """What one model generated and computed."""

    replies: list[GeneratedReply]
    """One for each context."""
    prompted: Mapping[str, list[GeneratedReply]]
    """Key of a measure -> replies to the prompts of its own."""
    computed: Mapping[str, Any]
    """Key of a measure -> what its ``run_model`` returned."""


@dataclass(frozen=True)
class Inputs:
    """Everything that a measure can use."""

    data: EvaluationData
    answers: Answers
    outputs: Mapping[ModelSpeaker, ModelOutputs]
    template_marks: Collection[str]
    """Text that the chat template puts around turns, from `ChatFormat.markers`."""
    judged: Judged | None = None
    """What a larger model thinks of the replies, if one was named."""

    @property
    def seed(self) -> int:
        return self.data.seed

    @cached_property
    def conversations(self) -> list[int]:
        """The conversation of each context."""
        return [context.conversation for context in self.data.contexts]

    @cached_property
    def groups(self) -> Groups:
        """The resampling group of each context."""
        return bootstrap_groups(self.conversations)

    @cached_property
    def features(self) -> tuple[StyleFeature, ...]:
        """The style features, with the word lists of the training text."""
        return style_features(Reference.of(self.data.training.mine, self.data.training.contacts))
