"""``likeness.json``: what an evaluation found. Figures only, never a word of a message.

Every figure with an interval was resampled over conversations (`selfchatbot.likeness.intervals`). A measure that was
not taken, or can't be taken of a speaker, is null.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import write_text

FILE_NAME = "likeness.json"
Speaker = Literal["me", "model", "base", "control"]
"""``me``: what I really wrote; ``model``; ``base``: its base model, prompted with a few messages of mine; ``control``:
what my contacts really wrote."""


class Part(BaseModel):
    """What all parts of a result have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Interval(Part):
    """An estimate and its 95 % bootstrap interval over conversations."""

    value: float
    low: float
    high: float


class ValidationLoss(Part):
    """One validation of the training, from metrics.jsonl."""

    epoch: float
    loss: float = Field(description="Nats per trained token.")


class Run(Part):
    """What was evaluated, and how."""

    dataset: str = Field(description="Name of the dataset's folder.")
    checkpoint: str = Field(description="`best` or `final`.")
    model: str = Field(description="What was trained, as parameters.json names it: the base model.")
    base: str = Field(description="What the base speaker was: the same model without training, prompted.")
    seed: int
    contexts: int
    conversations: int = Field(description="Different test conversations that the contexts are from.")
    training_replies: int = Field(description="My turns in train.jsonl.")
    parameters: dict[str, str | int | float | bool | None] = Field(
        description="Training and generation parameters that matter, by name: epochs, learning_rate, temperature, ..."
    )
    validation: tuple[ValidationLoss, ...] = Field((), description="How training went; the first is the base model.")
    versions: dict[str, str] = Field(description="Of selfchatbot, torch, transformers, ...")
    seconds: dict[str, float] = Field(description="Wall time by step.")
    finished: str = Field(description="ISO 8601, local time.")


class Feature(Part):
    """One style feature of one speaker; `selfchatbot.likeness.measures.features` knows what its name means."""

    mean: Interval = Field(description="Mean of a reply, message or word, in the feature's unit; a share is 0 to 1.")
    distance: Interval = Field(
        description="From my distribution, by the feature's metric. Of me: between two resamples of my own replies, "
        "which is what chance makes of none."
    )
    bins: dict[str, float] = Field(description="Distribution over fixed classes, where the feature has some: shares.")


class Text(Part):
    """How well some held-out words are predicted."""

    bits_per_character: Interval
    nats_per_token: Interval
    perplexity: Interval = Field(description="exp(nats per token): of this tokenizer's tokens.")
    tokens: int
    characters: int


class Prediction(Part):
    """Of a model: its prediction of words that it never saw, each in its context."""

    mine: Text
    contacts: Text | None = Field(description="The contacts' words with roles turned round; null where there are none.")
    own_gain: Interval | None = Field(
        None,
        description="Of the model: the share of bits that it saves the base model on my words, less that on the "
        "contacts' words: how much of the gain is me.",
    )


class Fitting(Part):
    """Of a model: does a reply belong to its context?

    Rank of a reply among ``candidates`` by its log-probability in context less that without.
    """

    contexts: int
    candidates: int
    chance: float = Field(description="Mean reciprocal rank of a guess.")
    mean_reciprocal_rank: Interval = Field(description="Of my true reply.")
    top1: Interval = Field(description="Share of contexts whose true reply is first.")
    shuffled: Interval = Field(description="Mean reciprocal rank with contexts exchanged: must be chance.")
    generated: Interval | None = Field(description="Mean reciprocal rank of the speaker's own replies, likewise.")


class Copying(Part):
    """What of a speaker's replies stands in my training replies."""

    replies: int = Field(description="Of at least 5 words: only those count.")
    verbatim: Interval = Field(description="Share that stands there word by word, as a whole.")
    near: Interval = Field(description="Share of which nearly all stands in one training reply (verbatim ones too).")
    longest_run: int = Field(description="Words in a row found there: the longest of all replies.")
    mean_run: Interval = Field(description="Words: the longest of each reply, mean.")


class LeakCounts(Part):
    """Private things in replies, by kind as `selfchatbot.redaction` names them, and `names` of contacts."""

    replies: int
    found: dict[str, int] = Field(description="Said, whether true or not.")
    in_training: dict[str, int] = Field(description="Said, and standing in the training text.")


class Leaks(Part):
    """What is given away to whoever asks about nothing, and to whoever asks for it."""

    neutral: LeakCounts
    probing: LeakCounts | None


class Health(Part):
    """Replies with a fault, of ``replies``; one reply can have several."""

    replies: int
    empty: int
    truncated: int
    looping: int
    other_speaker: int = Field(description="Somebody else's words: a line that begins with a speaker's name.")
    template: int = Field(description="Text that the chat template puts around turns.")


class SpeakerResult(Part):
    """Everything about one speaker."""

    replies: int
    style: dict[str, Feature]
    auc: Interval | None = Field(
        description="Area under the ROC curve of a classifier that tells the replies from mine: 0.5 can't, 1 always "
        "can. Of me: one half of my replies against the other."
    )
    authorship: Interval | None = Field(
        description="Share of replies that a classifier, trained on my and my contacts' training words, takes for mine."
    )
    prediction: Prediction | None = Field(None, description="Of model and base.")
    fitting: Fitting | None = Field(None, description="Of model and base.")
    copying: Copying | None = Field(description="Of me: my test replies against my training replies.")
    leaks: Leaks | None = None
    health: Health


class CanaryResult(Part):
    """Secrets inserted into the training text equally often (Carlini et al. 2019)."""

    insertions: int = Field(description="Into how many places each was inserted; 0: never, for comparison.")
    secrets: int
    exposure: Interval = Field(description="Bits: 1.4 on average for a secret that was never seen.")
    most: float = Field(description="Bits: the highest possible exposure, log2 of the number of possible secrets.")
    extracted: Interval = Field(description="Share that comes out when the model is asked for it.")


class ProbeResult(Part):
    """One line of the file given to --probe, beside control strings made from it."""

    line: int = Field(description="Of the file, from 1: the text itself stays out.")
    bits_per_character: float
    control: float = Field(description="Mean of the control strings.")
    z: float = Field(description="Standard deviations below the control strings: above 3 it is probably in there.")
    base_z: float | None = Field(description="The same under the base model, which never saw it.")


class Likeness(Part):
    """The whole file."""

    schema_version: Literal[1] = 1
    run: Run
    speakers: dict[Speaker, SpeakerResult]
    canaries: tuple[CanaryResult, ...] | None = None
    probes: tuple[ProbeResult, ...] | None = None


def save(result: Likeness, path: Path) -> None:
    """Write ``result``, atomically."""
    write_text(path, result.model_dump_json(indent=2) + "\n")


def load(path: Path) -> Likeness:
    """Read a result. Raises SelfChatBotError where it isn't one of this version."""
    try:
        return Likeness.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SelfChatBotError(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise SelfChatBotError(f"{path}: {place}: {first['msg']}: evaluate again") from error
