"""Faults: what no reply should have, whatever its style."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from pydantic import Field

from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure, named
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.phrasing import now
from selfchatbot.likeness.report.sections import Section, Table, Tile
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.lexicon import laughter
from selfchatbot.player.reply.truncation import MARKUP_CHARACTERS
from selfchatbot.style import words_of

LOOPING_MESSAGES = 4
"""Equal messages in a row that are a loop."""
MAX_PHRASE_WORDS = 8
LOOPING_PHRASES = 4
LOOPING_WORDS = 8
"""For a single word, since "no no no no" is not a loop."""
LOOPING_CHARACTERS = re.compile(r"(.{2,40}?)\1{7,}", re.DOTALL)
MAX_LAUGHTER_CHARACTERS = 3
"""Distinct characters that may be repeated without end: "hahahaha"."""
MAX_CUT_OFF = 0.02
"""Share of replies: one that long in fifty is an accident."""
MAX_REPETITION_PENALTY = 1.2
"""A higher penalty harms words that any language repeats."""


class Health(Part):
    """Replies with a fault; one reply can have several."""

    replies: int
    empty: int
    truncated: int
    looping: int
    other_speaker: int = Field(description="Somebody else's words: a line that begins with a speaker's name.")
    template: int = Field(description="Text that the chat template puts around turns.")

    @property
    def faults(self) -> int:
        """Of all kinds."""
        return self.empty + self.truncated + self.looping + self.other_speaker + self.template


def health(replies: Sequence[str], finished: Sequence[bool], marks: Collection[str], names: Collection[str]) -> Health:
    """Count the faults of ``replies`` as the model generated them, before anything is cut.

    ``finished``: whether each ended its turn by itself. ``marks``: text that the template puts around turns
    (`ChatFormat.markers`). ``names``: precede messages of others in groups.
    """
    prefixes = tuple(f"{name}:" for name in names if name)
    marks = {mark for mark in marks if mark.strip()}
    return Health(
        replies=len(replies),
        empty=sum(not reply.strip() for reply in replies),
        truncated=len(finished) - sum(finished),
        looping=sum(map(loops, replies)),
        other_speaker=sum(
            any(line.lstrip().startswith(prefixes) for line in reply.split("\n")) for reply in replies if prefixes
        ),
        template=sum(_has_mark(reply, marks) for reply in replies),
    )


def loops(reply: str) -> bool:
    """Whether a message, a phrase or a few characters repeat, more often than people do for effect."""
    lines = [line.strip() for line in reply.split("\n") if line.strip()]
    if any(len(list(same)) >= LOOPING_MESSAGES for _, same in groupby(lines)):
        return True
    words = [word for word in words_of(reply) if laughter(word * 2) is None]
    if any(
        _repeats(words, size, LOOPING_WORDS if size == 1 else LOOPING_PHRASES)
        for size in range(1, MAX_PHRASE_WORDS + 1)
    ):
        return True
    return any(len(set(match[1])) > MAX_LAUGHTER_CHARACTERS for match in LOOPING_CHARACTERS.finditer(reply))


def _repeats(words: Sequence[str], size: int, times: int) -> bool:
    """Whether the same ``size`` words occur ``times`` times in a row."""
    same = 0
    for before, word in zip(words, words[size:], strict=False):
        same = same + 1 if before == word else 0
        if same >= size * (times - 1):
            return True
    return False


def _has_mark(reply: str, marks: Collection[str]) -> bool:
    """As `selfchatbot.player.reply.truncation` cuts them: a mark without markup counts only as a whole message."""
    lines = {line.strip() for line in reply.split("\n")}
    return any(mark in reply if MARKUP_CHARACTERS & set(mark) else mark.strip() in lines for mark in marks)


def longer_replies(findings: Mapping[Speaker, Health], run: Run) -> str | None:
    """More than 2 % of the model's replies are cut off."""
    model = findings.get("model")
    if model is None or model.truncated <= MAX_CUT_OFF * model.replies:
        return None
    return (
        f"{model.truncated} of {model.replies} replies were cut off: raise max_new_tokens{now(run, 'max_new_tokens')}."
    )


def penalise_loops(findings: Mapping[Speaker, Health], run: Run) -> str | None:
    """A reply goes round in circles, and the penalty is below 1.2."""
    model, penalty = findings.get("model"), run.number("repetition_penalty")
    if model is None or not model.looping or penalty is None or penalty >= MAX_REPETITION_PENALTY:
        return None
    return f"Replies that go round in circles: {model.looping}. Try repetition_penalty {penalty + 0.05:.2f}."


def not_my_words(findings: Mapping[Speaker, Health], _: Run) -> str | None:
    """A reply speaks for somebody else, or contains text of the chat template."""
    model = findings.get("model")
    if model is None or not model.other_speaker + model.template:
        return None
    return (
        f"Replies that speak for somebody else: {model.other_speaker}; that contain chat-template text: "
        f"{model.template}. Check the conversation that selfChatBot_preprocess shows, and that `username` and "
        "`aliases` list all your names."
    )


class FaultsMeasure(SpeakerMeasure[Health]):
    """Replies that no person would send."""

    key = "health"
    explanation = Explanation(
        title="Faults",
        what="Replies that are empty, cut off, going round in circles, written for somebody else, or that contain text "
        "of the chat template.",
        formula="counts; one reply can have several",
        source="–",
        good="0.",
        fools="Only the form is checked: well-formed nonsense is no fault here. Your own row shows what people do as "
        "well (“hahahahaha”).",
    )
    summary = column = Figure("faults", lambda one: f"{one.faults} of {one.replies}")
    rules = (
        Rule(Priority.SAMPLING, "raise `max_new_tokens`", longer_replies),
        Rule(Priority.SAMPLING, "raise `repetition_penalty`", penalise_loops),
        Rule(Priority.SAMPLING, "check names and aliases", not_my_words),
    )

    def measure(self, inputs: Inputs) -> dict[Speaker, Health]:
        marks, names = inputs.template_marks, inputs.data.names
        found = {speaker: health(texts, [True] * len(texts), marks, names) for speaker, texts in inputs.answers.items()}
        for speaker, outputs in inputs.outputs.items():
            replies = outputs.replies
            found[speaker] = health([one.made for one in replies], [one.finished for one in replies], marks, names)
        return found

    def warning(self, findings: Mapping[Speaker, Health]) -> str | None:
        model = findings.get("model")
        return f"Faults in its replies: {model.faults}." if model and model.faults else None

    def tile(self, findings: Mapping[Speaker, Health]) -> Tile | None:
        model = findings.get("model")
        return Tile(str(model.faults), "faults", f"in {model.replies} replies; should be 0") if model else None

    def section(self, findings: Mapping[Speaker, Health]) -> Section:
        kinds = {
            "empty": "empty",
            "truncated": "cut off",
            "looping": "going in circles",
            "other_speaker": "somebody else's words",
            "template": "template text",
            "replies": "of replies",
        }
        found = named(findings)
        rows = [(label, *(str(getattr(one, kind)) for _, one in found)) for kind, label in kinds.items()]
        head = ("fault", *(name for name, _ in found))
        return Section(
            "Replies that no person would send. All of these should be 0.", [Table("Replies with a fault", head, rows)]
        )
