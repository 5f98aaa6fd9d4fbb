"""``likeness.json``: what an evaluation found. Figures only, never a word of a message.

Each figure's interval comes from resampling conversations (`selfchatbot.statistics`). A measure that wasn't taken, or
doesn't apply to a speaker, is null.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import read_small, write_text
from selfchatbot.likeness.measures.base import Measure, SpeakerMeasure
from selfchatbot.likeness.measures.canaries import CanaryResult
from selfchatbot.likeness.measures.context_fit import Fitting
from selfchatbot.likeness.measures.copying import Copying
from selfchatbot.likeness.measures.faults import Health
from selfchatbot.likeness.measures.harm import Harm
from selfchatbot.likeness.measures.leaks import Leaks
from selfchatbot.likeness.measures.prediction import Prediction
from selfchatbot.likeness.measures.probes import ProbeResult
from selfchatbot.likeness.measures.sense import Reader
from selfchatbot.likeness.measures.told_apart import ToldByJudge
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.distances import FeatureResult
from selfchatbot.statistics import Interval

LIKENESS_FILE = "likeness.json"


class SpeakerResult(Part):
    """Everything about one speaker: one field for each measure, besides the number of replies."""

    replies: int
    sense: Interval | None = Field(
        None,
        description="Share of places where the judge finds the reply more sensible than mine: 0.5 is as sensible; null "
        "without a judge that sees.",
    )
    style: dict[str, FeatureResult]
    auc: Interval | None = Field(
        description="Area under the ROC curve of a classifier that tells the replies from mine: 0.5 never, 1 always. "
        "For me: half of my replies against the other half."
    )
    told_by_judge: ToldByJudge | None = None
    authorship: Interval | None = Field(
        description="Share of replies that a classifier, trained on my and my contacts' training text, attributes to "
        "me."
    )
    prediction: Prediction | None = Field(None, description="For model and base.")
    fitting: Fitting | None = Field(None, description="For model and base.")
    copying: Copying | None = Field(description="For me: my test replies against my training replies.")
    leaks: Leaks | None = None
    harm: Harm | None = Field(None, description="For model and base.")
    health: Health


class Likeness(Part):
    """The whole file."""

    schema_version: Literal[1] = 1
    run: Run
    speakers: dict[Speaker, SpeakerResult]
    reader: Reader | None = None
    canaries: tuple[CanaryResult, ...] | None = None
    probes: tuple[ProbeResult, ...] | None = None

    def findings(self, measure: Measure[Any]) -> Any:
        """What ``measure`` found: by speaker, without those it wasn't taken for, or for the whole evaluation."""
        if not isinstance(measure, SpeakerMeasure):
            return getattr(self, measure.key)
        found = {speaker: getattr(result, measure.key) for speaker, result in self.speakers.items()}
        return {speaker: result for speaker, result in found.items() if result is not None}


def save(result: Likeness, path: Path) -> None:
    """Write ``result``, atomically."""
    write_text(path, result.model_dump_json(indent=2, by_alias=True) + "\n")


def load(path: Path) -> Likeness:
    """Read a result. Raises SelfChatBotError where it can't be read or isn't of this version."""
    try:
        return Likeness.model_validate_json(read_small(path))
    except OSError as error:
        raise SelfChatBotError(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise SelfChatBotError(f"{path}: {place}: {first['msg']}: evaluate again") from error


__all__ = ["LIKENESS_FILE", "Likeness", "SpeakerResult", "load", "save"]
