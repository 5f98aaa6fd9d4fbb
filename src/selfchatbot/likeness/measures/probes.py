"""Probes: does the model know given names or phrases? Each is compared with controls that nobody ever wrote.

A control has the same length and shape: a word that the tokenizer knows becomes another word of the same length, any
other word becomes letters in a plausible order, and digits become other digits.
"""

import math
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from selfchatbot.errors import UsageError
from selfchatbot.files import read_small
from selfchatbot.likeness.measures.base import Explanation, Measure, Priority, Rule
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.sections import Section, Table
from selfchatbot.likeness.run.inputs import Inputs, ModelRun, ProbeLine
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.run.replies import context_prompt
from selfchatbot.likeness.speakers import ModelSpeaker
from selfchatbot.likeness.text.lexicon import script

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTROLS = 50
"""For each line."""
WORD_OR_DIGIT = re.compile(r"[^\W\d_]+|\d")
KNOWN_Z = 3.0
"""Standard deviations: one control string in 700 is that far off by chance."""


class ProbeResult(Part):
    """One line of the file given to --probe, compared with control strings made from it."""

    line: int = Field(description="Line number in the file, from 1; the text itself is not kept.")
    bits_per_character: float
    control: float = Field(description="Mean of the control strings.")
    z: float = Field(description="Standard deviations below the control strings; above 3, the model probably knows it.")
    base_z: float | None = Field(description="The same for the base model, which never saw it.")
    gain_z: float | None = Field(
        None, description="Standard deviations by which training made it more probable than the control strings."
    )


class ProbeScores(NamedTuple):
    """Bits per character under one model."""

    line: float
    controls: list[float]

    @property
    def z(self) -> float:
        """Standard deviations by which the line is more probable than its controls."""
        spread = stdev(self.controls)
        return (fmean(self.controls) - self.line) / spread if spread else 0.0

    def gain_over(self, base: "ProbeScores") -> "ProbeScores":
        """The same for the difference to the bits of ``base``.

        A name can be more probable than its controls from the start; what training added says that it was there.
        """
        gained = [one - other for one, other in zip(self.controls, base.controls, strict=True)]
        return ProbeScores(self.line - base.line, gained)


def read_probes(path: Path) -> list[ProbeLine]:
    """The non-empty lines of a text file. Raises UsageError where there are none, or the file can't be read."""
    try:
        texts = read_small(path).decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"--probe: {path} can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--probe: {path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    lines = [ProbeLine(number, text.strip()) for number, text in enumerate(texts, 1) if text.strip()]
    if not lines:
        raise UsageError(f"--probe: {path} is empty: write one name or phrase per line")
    return lines


def probe(
    pair: ModelPair,
    speaker: ModelSpeaker,
    lines: Sequence[ProbeLine],
    on_progress: OnProgress = lambda _done, _of: None,
) -> list[ProbeScores]:
    """How probable ``speaker`` finds each line and its controls, as my first words in a conversation."""
    chat_format, room = pair.chat_format, pair.window // 2
    controls = Controls(chat_format.tokenizer)
    prompt = context_prompt(chat_format, [], room)
    texts = []
    for line in lines:
        rng = random.Random(f"{pair.seed} {line.text}")
        texts.append([line.text, *(controls.like(line.text, rng) for _ in range(CONTROLS))])
    ids = [[chat_format.turn(text)[:-1][:room] for text in some] for some in texts]

    def score(ids: list[list[int]]) -> list[float]:
        from selfchatbot.player.engines.likelihood import continuation_log_probabilities

        return continuation_log_probabilities(pair.loaded(speaker).model, prompt, ids)

    found = pair.computed("probes", speaker, [prompt, ids], ids, score, lambda done: on_progress(done, len(ids)))
    scores = []
    for some, nats in zip(texts, found, strict=True):
        own, *others = (-one / math.log(2) / len(text) for text, one in zip(some, nats, strict=True))
        scores.append(ProbeScores(own, others))
    return scores


class Controls:
    """Makes control strings."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
        self._words: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        """(script, length) -> words."""
        self._next: defaultdict[str, list[str]] = defaultdict(list)
        """Two letters -> letters that follow them."""
        for word in sorted({text.strip().lower() for text in texts}):
            if len(word) > 1 and word.isalpha():
                self._words[script(word[0]), len(word)].append(word)
                for place in range(2, len(word)):
                    self._next[word[place - 2 : place]].append(word[place])

    def like(self, line: str, rng: random.Random) -> str:
        """One control string."""
        return WORD_OR_DIGIT.sub(lambda match: self._other(match[0], rng), line)

    def _other(self, part: str, rng: random.Random) -> str:
        if part.isdecimal():
            return str(rng.randrange(10))
        low = part.lower()
        same = self._words[script(low[0]), len(low)]
        if low in same:
            other = rng.choice(same)
        else:
            other = rng.choice(self._words[script(low[0]), 2] or ["".join(rng.sample(low, len(low)))])
            while len(other) < len(low):
                other += rng.choice(self._next[other[-2:]] or low)
        if part.isupper():
            return other.upper()
        return other.capitalize() if part[0].isupper() else other


def forget(findings: tuple[ProbeResult, ...], _: Run) -> str | None:
    """Probes: training made it more than 3 standard deviations more probable than the control strings."""
    known = [str(one.line) for one in findings if _is_known(one)]
    if not known:
        return None
    return (
        f"In the probe file, the model knows line {', '.join(known)}: to make it forget, put the words into "
        "`redact.words` or their chat into `exclude`, then preprocess and train again."
    )


def _is_known(one: ProbeResult) -> bool:
    if one.gain_z is not None:
        return one.gain_z > KNOWN_Z and one.z > KNOWN_Z
    return one.z > KNOWN_Z and (one.base_z is None or one.base_z < KNOWN_Z)  # a file of an older version


class ProbesMeasure(Measure[tuple[ProbeResult, ...]]):
    """Whether the model knows the lines of the file given to --probe; None without such a file."""

    key = "probes"
    explanation = Explanation(
        title="Probes",
        what="How probable the trained model finds each line of your file, compared with control strings of the same "
        "shape that nobody ever wrote.",
        formula="z = (mean bits per character of the controls − that of the line) / their standard deviation; "
        "gained by training: the same for the difference to the base model's bits",
        source="Carlini et al. 2022, “Membership Inference Attacks From First Principles” (calibration by what "
        "was not trained); Watson et al. 2022, “On the Importance of Difficulty Calibration in Membership Inference "
        "Attacks” (the difference to a model that never saw it)",
        good="Gained by training: below 3. A common phrase or a famous name is above 3 under both models.",
        fools="What is typical of chats is gained too, whoever wrote it. A rare name may have been learned in other "
        "words, and not be found.",
    )
    step = "is probed"
    rules = (Rule(Priority.PRIVACY, "line N is known", forget),)

    def run_model(self, run: ModelRun) -> list[ProbeScores]:
        return probe(run.pair, run.speaker, run.data.probes, run.on_progress) if run.data.probes else []

    def measure(self, inputs: Inputs) -> tuple[ProbeResult, ...] | None:
        if not inputs.data.probes:
            return None
        model, base = (inputs.outputs[speaker].computed[self.key] for speaker in ("model", "base"))
        return tuple(
            ProbeResult(
                line=line.number,
                bits_per_character=trained.line,
                control=fmean(trained.controls),
                z=trained.z,
                base_z=untrained.z,
                gain_z=trained.gain_over(untrained).z,
            )
            for line, trained, untrained in zip(inputs.data.probes, model, base, strict=True)
        )

    def section(self, findings: tuple[ProbeResult, ...]) -> Section:
        head = (
            "line",
            "bits per character",
            "control strings",
            "standard deviations below",
            "under the base model",
            "gained by training",
        )
        rows = [
            (
                f"line {one.line}",
                f"{one.bits_per_character:.2f}",
                f"{one.control:.2f}",
                f"{one.z:.1f}",
                "" if one.base_z is None else f"{one.base_z:.1f}",
                "" if one.gain_z is None else f"{one.gain_z:.1f}",
            )
            for one in findings
        ]
        return Section(
            "Does the model still know it? Each line of your file is compared with strings of the same shape. If "
            "training made it more probable than those by more than 3 standard deviations, it probably does.",
            [Table("Lines of the file given to --probe", head, rows)],
        )
