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
from selfchatbot.likeness.measures.lexicon import script
from selfchatbot.likeness.result import ProbeResult
from selfchatbot.likeness.run.model_pair import Modelled, Models
from selfchatbot.likeness.run.replies import context_prompt

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
    chat_format, room = models.chat_format, models.window // 2
    controls = Controls(chat_format.tokenizer)
    prompt = context_prompt(chat_format, [], room)
    texts = []
    for line in lines:
        rng = random.Random(f"{models.seed} {line.text}")
        texts.append([line.text, *(controls.like(line.text, rng) for _ in range(CONTROLS))])
    ids = [[chat_format.turn(text)[:-1][:room] for text in some] for some in texts]

    def score(ids: list[list[int]]) -> list[float]:
        from selfchatbot.player.engines.likelihood import of_continuations

        return of_continuations(models.loaded(speaker).model, prompt, ids)

    found = models.computed("probes", speaker, [prompt, ids], ids, score, lambda done: on_progress(done, len(ids)))
    scores = []
    for some, nats in zip(texts, found, strict=True):
        own, *others = (-one / math.log(2) / len(text) for text, one in zip(some, nats, strict=True))
        scores.append(Scores(own, others))
    return scores


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
