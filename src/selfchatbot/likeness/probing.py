"""Is this still in there? Given strings (names, phrases) beside others of the same make that were never said.

A control has the same length and shape: a word that the tokenizer knows becomes another one of as many letters, any
other becomes letters that follow one another as they do in words, and digits become other digits.
"""

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from selfchatbot.errors import UsageError
from selfchatbot.likeness.result import ProbeResult
from selfchatbot.likeness.speakers import Modelled, Models, context_prompt
from selfchatbot.likeness.spellings import script

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTROLS = 50
PARTS = re.compile(r"[^\W\d_]+|\d")


class Line(NamedTuple):
    """One line of the file."""

    number: int
    """From 1."""
    text: str


class Scores(NamedTuple):
    """Bits per character."""

    line: float
    controls: list[float]

    @property
    def z(self) -> float:
        """Standard deviations by which the line is more probable than its controls."""
        spread = stdev(self.controls)
        return (fmean(self.controls) - self.line) / spread if spread else 0.0


def read_probes(path: Path) -> list[Line]:
    """The lines of a text file that say anything. Raises UsageError where there are none."""
    try:
        texts = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"--probe: {path} can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--probe: {path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    lines = [Line(number, text.strip()) for number, text in enumerate(texts, 1) if text.strip()]
    if not lines:
        raise UsageError(f"--probe: {path} is empty: write one name or phrase a line")
    return lines


def probe(
    models: Models,
    speaker: Modelled,
    lines: Sequence[Line],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Scores]:
    """How probable ``speaker`` finds each line, and its controls, as my first words of a conversation."""
    made: list[Controls] = []

    def score(line: Line) -> Scores:
        from selfchatbot.player.likelihood import of_continuations

        model, chat_format = models.loaded(speaker).model, models.chat_format
        if not made:
            made.append(Controls(chat_format.tokenizer))
        rng = random.Random(f"{models.seed} {line.text}")
        texts = [line.text, *(made[0].like(line.text, rng) for _ in range(CONTROLS))]
        room = models.window // 2
        ids = [chat_format.turn(text)[:-1][:room] for text in texts]
        found = of_continuations(model, context_prompt(chat_format, [], room), ids)
        own, *others = (-nats / math.log(2) / len(text) for nats, text in zip(found, texts, strict=True))
        return Scores(own, others)

    found = models.cache.computed(
        f"probes-{speaker}",
        [models.identity(speaker), models.seed, CONTROLS, lines],
        lines,
        score,
        lambda done: on_progress(done, len(lines)),
    )
    return [Scores(*scores) for scores in found]


def probe_results(lines: Sequence[Line], model: Sequence[Scores], base: Sequence[Scores]) -> tuple[ProbeResult, ...]:
    """What is kept: figures and line numbers."""
    return tuple(
        ProbeResult(
            line=line.number,
            bits_per_character=trained.line,
            control=fmean(trained.controls),
            z=trained.z,
            base_z=untrained.z,
        )
        for line, trained, untrained in zip(lines, model, base, strict=True)
    )


class Controls:
    """Makes strings of the same length and shape."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
        self._words: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        """By script and length."""
        self._next: defaultdict[str, list[str]] = defaultdict(list)
        """What follows two letters."""
        for word in sorted({text.strip().lower() for text in texts}):
            if len(word) > 1 and word.isalpha():
                self._words[script(word[0]), len(word)].append(word)
                for place in range(2, len(word)):
                    self._next[word[place - 2 : place]].append(word[place])

    def like(self, line: str, rng: random.Random) -> str:
        """One control string."""
        return PARTS.sub(lambda match: self._other(match[0], rng), line)

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
