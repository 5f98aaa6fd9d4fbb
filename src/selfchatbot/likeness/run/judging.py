"""A larger language model reads the replies of all speakers as a plain transcript.

Its score of a reply is the log-probability that it gives to it in the conversation, less the one that a small model
gives (contrastive decoding's objective, Li et al. 2022), over the square root of the reply's tokens. What only the
larger model finds probable is what takes understanding. What blind readers said of replies agrees with this, while the
information that a reply shares with its context does not, once replies were chosen by it (docs/likeness.md).
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import Answers, Context
from selfchatbot.likeness.run.progress import OnStep
from selfchatbot.messages import ChatMessages

if TYPE_CHECKING:
    from selfchatbot.models import Machine

MAX_CONTEXTS = 60
"""A judge of 1.5 billion parameters reads one context with six replies in 5 to 10 seconds on two cores."""
TURNS = 5
"""Read of a context: as many as the readers saw whom the score was compared with."""
MAX_REPLY_TOKENS = 80
AMATEUR = "SmolLM2-135M-Instruct"
OPENING = "A chat between two people, Sam and Alex.\n\n"
CONTROLS = ("exchanged", "shuffled")
"""My replies to other contexts, and mine with the words of each message in any order."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The scores of a judge, one for each of ``contexts``."""

    judge: str
    contexts: list[int]
    """Indices of the contexts that were read."""
    scores: dict[str, list[float]]
    """By speaker, and by the names in ``CONTROLS``."""


def judge_replies(
    judge: str,
    contexts: Sequence[Context],
    answers: Answers,
    cache: Cache,
    machine: "Machine",
    seed: int,
    on_progress: OnStep,
    amateur: str = AMATEUR,
) -> Judged:
    """Read at most ``MAX_CONTEXTS`` contexts, spread over all. Raises SelfChatBotError for a model that can't load."""
    step = max(1, len(contexts) / MAX_CONTEXTS)
    chosen = sorted({int(number * step) for number in range(min(MAX_CONTEXTS, len(contexts)))})
    here = [contexts[number] for number in chosen]
    read: dict[str, list[str]] = {speaker: [texts[number] for number in chosen] for speaker, texts in answers.items()}
    read |= {"exchanged": exchanged(here), "shuffled": shuffled(read["me"], seed)}
    rows = [
        (transcript(context.messages), [line(texts[place]) for texts in read.values()])
        for place, context in enumerate(here)
    ]
    large, tokens = _log_probabilities(judge, rows, cache, machine, "the judge reads", on_progress)
    small, _ = _log_probabilities(amateur, rows, cache, machine, "a small model reads", on_progress)
    scores = {
        name: [
            (large[place][column] - small[place][column]) / math.sqrt(tokens[place][column])
            for place in range(len(rows))
        ]
        for column, name in enumerate(read)
    }
    return Judged(judge, chosen, scores)


def transcript(messages: ChatMessages) -> str:
    """The last turns before a reply, as lines with names; a system message is left out."""
    turns = [message for message in messages if message["role"] != "system"][-TURNS:]
    return OPENING + "".join(f"{_name(turn)}:{line(turn['content'])}" for turn in turns) + "Alex:"


def line(text: str) -> str:
    """A turn as the rest of a line."""
    return " " + text.replace("\n", " / ") + "\n"


def exchanged(contexts: Sequence[Context]) -> list[str]:
    """My replies, each in the place of one from another conversation where there is one."""
    half = len(contexts) // 2
    return [contexts[(place + half) % len(contexts)].reply for place in range(len(contexts))]


def shuffled(replies: Sequence[str], seed: int) -> list[str]:
    """The words of each message in another order."""
    rng = random.Random(seed)

    def mixed(message: str) -> str:
        words = message.split()
        return " ".join(rng.sample(words, len(words)))

    return ["\n".join(map(mixed, reply.split("\n"))) for reply in replies]


def _name(turn: dict[str, str]) -> str:
    return "Alex" if turn["role"] == "assistant" else "Sam"


def _log_probabilities(
    name: str,
    rows: Sequence[tuple[str, list[str]]],
    cache: Cache,
    machine: "Machine",
    step: str,
    on_progress: OnStep,
) -> tuple[list[list[float]], list[list[int]]]:
    """By context and reply: the sum in nats, and the number of tokens."""
    from selfchatbot.memory import give_back_memory
    from selfchatbot.models import load_model, load_tokenizer

    loaded: list[Any] = []

    def read(row: tuple[str, list[str]]) -> list[list[float]]:
        from selfchatbot.player.engines.likelihood import continuation_log_probabilities

        if not loaded:
            give_back_memory()
            loaded[:] = load_model(name, machine.dtype).to(machine.device).eval(), load_tokenizer(name)
        model, tokenizer = loaded
        prompt, *replies = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (row[0], *row[1]))
        replies = [ids[:MAX_REPLY_TOKENS] for ids in replies]
        return [continuation_log_probabilities(model, prompt, replies), [float(len(ids)) for ids in replies]]

    found = cache.computed(
        "judge", [name, TURNS, MAX_REPLY_TOKENS, rows], rows, read, lambda done: on_progress(step, done, len(rows))
    )
    loaded.clear()
    give_back_memory()
    return [sums for sums, _ in found], [[int(count) for count in counts] for _, counts in found]
