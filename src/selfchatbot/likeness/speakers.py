"""The four speakers of an evaluation, and what they are called."""

from typing import Literal, NamedTuple

Speaker = Literal["me", "model", "base", "control"]
"""``me``: what I really wrote; ``model``: the trained checkpoint; ``base``: its base model, prompted with a few of my
messages; ``control``: what my contacts really wrote."""
ModelSpeaker = Literal["model", "base"]
MODEL_SPEAKERS: tuple[ModelSpeaker, ...] = ("model", "base")


class SpeakerName(NamedTuple):
    """What a speaker is called in the reports, which address me as "you"."""

    name: str
    possessive: str
    short: str


SPEAKER_NAMES: dict[Speaker, SpeakerName] = {
    "model": SpeakerName("the model", "the model's", "model"),
    "base": SpeakerName("the base model", "the base model's", "base model"),
    "control": SpeakerName("your contacts", "theirs", "contacts"),
    "me": SpeakerName("you", "yours", "you"),
}
"""In the order of rows, columns and bars."""
