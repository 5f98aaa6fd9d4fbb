"""A larger language model reads the replies of all speakers as a plain transcript.

Its score of a reply is the log-probability that it gives to it in the conversation, less the one that a small model
gives (contrastive decoding's objective, Li et al. 2022), over the square root of the reply's tokens. What only the
larger model finds probable is what takes understanding. What blind readers said of replies agrees with this, while the
information that a reply shares with its context does not, once replies were chosen by it (docs/likeness.md).
"""

import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import Answers, Context
from selfchatbot.likeness.run.judge_models import (
    MAX_PROMPT_TOKENS,
    MAX_REPLY_TOKENS,
    JudgeModel,
    load_judge,
    log_probabilities,
)
from selfchatbot.likeness.run.progress import OnStep
from selfchatbot.messages import ChatMessages

if TYPE_CHECKING:
    from selfchatbot.models import Machine

MAX_CONTEXTS = 60
"""A judge of 1.5 billion parameters reads one context with six replies in 13 to 20 seconds on one core."""
TURNS = 5
"""Read of a context: as many as the readers saw whom the score was compared with."""
AMATEUR = "SmolLM2-135M-Instruct"
JUDGE_PARAMETERS = 4 * 134_515_008
"""Four times those of the small model: from there on, the base model reads where no other judge was named."""
OPENING = "A chat between two people, Sam and Alex.\n\n"
CONTROLS = {"exchanged": ("exchanged", "exchanged again"), "shuffled": ("shuffled",), "hot": ("hot",)}
"""My replies to other contexts, mine with the words of each message in any order, the model's at temperature 1.5.

By name, the replies to each context that it consists of. Many replies fit other contexts as well, so one alone would
have a judge of 1.5 billion parameters called blind in a third of the evaluations (docs/likeness.md).
"""
Place = list[tuple[str, list[str]]]
"""What is read in one context: prompts, each with the replies after it."""
HOT_SAMPLING = {"temperature": 1.5, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "guidance": 0.0, "best_of": 1}


class Reading(NamedTuple):
    """One reply in its context, as both models read it."""

    judge: float
    """Log-probability, in nats."""
    amateur: float
    tokens: int
    """Of the judge."""

    @property
    def score(self) -> float:
        return (self.judge - self.amateur) / math.sqrt(self.tokens)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge read: one reply by each speaker and control for each of ``contexts``."""

    judge: str
    contexts: list[int]
    """Indices of the contexts that were read."""
    readings: dict[str, list[Reading]]
    """By speaker, and by what the ``CONTROLS`` consist of."""

    def scores(self, name: str) -> list[float]:
        return [reading.score for reading in self.readings[name]]

    def sense(self, name: str, context: int) -> float | None:
        """Share of my replies that score lower than this one, equal ones half; None where it wasn't read."""
        if context not in self.contexts:
            return None
        score, mine = self.scores(name)[self.contexts.index(context)], self.scores("me")
        return sum((score > other) + (score == other) / 2 for other in mine) / len(mine)


def can_judge(model: str) -> bool:
    """Whether a model has ``JUDGE_PARAMETERS``, and the small model is installed.

    No weights are loaded. Raises SelfChatBotError where there is no such model.
    """
    from selfchatbot.model_families import skeleton
    from selfchatbot.models import is_hub_name, load_config

    with suppress(SelfChatBotError):
        return not is_hub_name(AMATEUR) and skeleton(load_config(model)).num_parameters() >= JUDGE_PARAMETERS
    return False


def judged_places(count: int) -> list[int]:
    """Which of ``count`` contexts are read: at most ``MAX_CONTEXTS``, spread over all."""
    step = max(1, count / MAX_CONTEXTS)
    return sorted({int(number * step) for number in range(min(MAX_CONTEXTS, count))})


def judge_replies(
    judge: str,
    contexts: Sequence[Context],
    answers: Answers,
    hot: Sequence[str],
    cache: Cache,
    machine: "Machine",
    seed: int,
    on_progress: OnStep,
    amateur: str | None = None,
    load: Callable[[], JudgeModel] | None = None,
) -> Judged:
    """Read the `judged_places`. Raises SelfChatBotError for a model that can't load.

    What my contacts wrote is read in its own place, as a reply to what came before it. ``hot``: the model's replies,
    sampled as ``HOT_SAMPLING`` says. ``amateur``: the small model, by default the embedded one. ``load`` returns a
    judge that is in memory already.
    """
    chosen = judged_places(len(contexts))
    here = [contexts[number] for number in chosen]
    read: dict[str, Sequence[str]] = {
        **{name: [texts[number] for number in chosen] for name, texts in answers.items() if name != "control"},
        "exchanged": exchanged(here, 1 / 3),
        "exchanged again": exchanged(here, 2 / 3),
        "shuffled": shuffled([context.reply for context in here], seed),
        "hot": hot,
    }
    places: list[Place] = [
        [
            (before_contact(context.messages), [line(answers["control"][chosen[place]])]),
            (transcript(context.messages), [line(texts[place]) for texts in read.values()]),
        ]
        for place, context in enumerate(here)
    ]
    small_one = amateur or AMATEUR
    load = load or partial(load_judge, judge, machine)
    large = _log_probabilities(judge, load, places, cache, "the judge reads", on_progress)
    load = partial(load_judge, small_one, machine)
    small = _log_probabilities(small_one, load, places, cache, "a small model reads", on_progress)
    readings = {
        name: [
            Reading(sums[column], others[column], tokens[column])
            for (sums, tokens), (others, _) in zip(large, small, strict=True)
        ]
        for column, name in enumerate(("control", *read))
    }
    return Judged(judge, chosen, readings)


def transcript(messages: ChatMessages) -> str:
    """The last turns before a reply of mine, as lines with names; a system message is left out."""
    return _lines(messages, TURNS) + "Alex:"


def before_contact(messages: ChatMessages) -> str:
    """The same turns without the last one, for what my contacts wrote there."""
    return _lines(messages[:-1], TURNS - 1) + "Sam:"


def line(text: str) -> str:
    """A turn as the rest of a line."""
    return " " + text.replace("\n", " / ") + "\n"


def exchanged(contexts: Sequence[Context], way: float) -> list[str]:
    """My replies, each in the place of the one that comes this far after it, as a share of all: another conversation's.

    Where conversations are few and long, it may be one of the same.
    """
    places = len(contexts)
    return [contexts[(place + max(1, round(way * places))) % places].reply for place in range(places)]


def shuffled(replies: Sequence[str], seed: int) -> list[str]:
    """The words of each message in another order."""
    rng = random.Random(seed)

    def mixed(message: str) -> str:
        words = message.split()
        return " ".join(rng.sample(words, len(words)))

    return ["\n".join(map(mixed, reply.split("\n"))) for reply in replies]


def _lines(messages: ChatMessages, count: int) -> str:
    turns = [message for message in messages if message["role"] != "system"][-count:]
    return OPENING + "".join(f"{_name(turn)}:{line(turn['content'])}" for turn in turns)


def _name(turn: dict[str, str]) -> str:
    return "Alex" if turn["role"] == "assistant" else "Sam"


def _log_probabilities(
    name: str,
    load: Callable[[], JudgeModel],
    places: Sequence[Place],
    cache: Cache,
    step: str,
    on_progress: OnStep,
) -> list[tuple[list[float], list[int]]]:
    """By context, for each reply: the sum in nats, and the number of tokens. Loads only what has to read."""
    from selfchatbot.memory import give_back_memory

    loaded: list[JudgeModel] = []

    def read(place: Place) -> tuple[list[float], list[int]]:
        if not loaded:
            give_back_memory()
            loaded.append(load())
        parts = [log_probabilities(loaded[0], prompt, replies) for prompt, replies in place]
        return [one for sums, _ in parts for one in sums], [one for _, tokens in parts for one in tokens]

    depends_on = [name, TURNS, MAX_PROMPT_TOKENS, MAX_REPLY_TOKENS, places]
    found = cache.computed("judge", depends_on, places, read, lambda done: on_progress(step, done, len(places)))
    loaded.clear()
    give_back_memory()
    return [(sums, tokens) for sums, tokens in found]
