"""Once after training: the sampling with which the model's replies look most like mine on the validation conversations.

The texts are compared by `selfchatbot.style` only: no score of the model itself knows how long or how various I am.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from selfchatbot.chat_format import ChatFormat
from selfchatbot.concurrency import two_at_once
from selfchatbot.messages import ChatMessages, answered, introduction, read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import FILE_NAME, WRITTEN_NAME, GenerationParameters, hand_over, read_json, read_parameters
from selfchatbot.style import Style, distance, style_of

if TYPE_CHECKING:
    from selfchatbot.player.checkpoint import Checkpoint
    from selfchatbot.player.engines.batch import Batch

logger = logging.getLogger(__name__)


class Point(NamedTuple):
    """One sampling of the grid."""

    temperature: float
    top_p: float
    repetition_penalty: float


GRID = (
    Point(1.0, 1.0, 1.0),  # the defaults
    Point(0.9, 1.0, 1.0),
    Point(1.0, 0.95, 1.0),
    Point(0.8, 1.0, 1.0),
    Point(0.9, 0.95, 1.0),
)
"""The likeliest first: where time runs out, the rest is not tried."""
CLEARLY = 0.84
"""Share of resamples in which a sampling must be nearer to me than the defaults: one standard error."""
RESAMPLES = 100
CONTEXTS = 64
CONTEXT_TURNS = 4
CONTEXT_TOKENS = 96
REPLY_TOKENS = 40
FEWEST = 8
"""With fewer contexts, any choice would be chance."""
MOST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why."""

    point: Point
    distances: dict[Point, float]
    """From my own replies, of each point that was tried, the defaults first; see `selfchatbot.style.Distance.total`."""
    style: Style
    mine: Style

    def reason(self) -> str:
        """One line for the log; figures only."""
        default = next(iter(self.distances))
        why = "stay, as no other is clearly nearer" if self.point == default else "are nearest"
        return (
            f"sampling: temperature {self.point.temperature:g}, top_p {self.point.top_p:g} and repetition_penalty "
            f"{self.point.repetition_penalty:g} {why} to my validation replies: distance "
            f"{self.distances[self.point]:.2f} (defaults {self.distances[default]:.2f}), {self.style.characters:.0f} "
            f"characters a reply (mine {self.mine.characters:.0f}), {self.style.messages:.1f} messages "
            f"({self.mine.messages:.1f}), {self.style.repetition:.0%} words said before ({self.mine.repetition:.0%}); "
            f"{self.style.replies} replies for each of {len(self.distances)} samplings"
        )


def choose_sampling(
    data: Path,
    results: Path,
    seed: int,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
    machine: Machine | None = None,
    seconds: float = MOST_SECONDS,
) -> Choice | None:
    """Compare the samplings of ``GRID`` with best/; one that is clearly nearest goes into results/parameters.json.

    What the user edited there stays. ``on_progress`` gets the number of samplings tried and of all. None, and nothing
    changes, where validation.jsonl has fewer than ``FEWEST`` replies of mine to something. What is not done
    after ``seconds`` doesn't count; None as well where that leaves only one sampling.

    Raises SelfChatBotError when the checkpoint can't be loaded.
    """
    from selfchatbot.player.checkpoint import load_checkpoint

    until = time.monotonic() + seconds
    contexts, mine = _contexts(data / "validation.jsonl", seed)
    if len(contexts) < FEWEST:
        logger.info("sampling: too few validation replies to choose by: the defaults stay")
        return None
    on_progress(0, len(GRID))
    parameters = read_parameters(results / FILE_NAME, GenerationParameters)
    checkpoint = load_checkpoint(results / "best", parameters, machine)
    choice = _choose(checkpoint, contexts, mine, seed, until, on_progress)
    if choice is None:
        logger.info("sampling: this machine is too slow to compare in %.0f seconds: the defaults stay", seconds)
        return None
    logger.info("%s", choice.reason())
    # The record holds what training itself wrote last, without the user's edits: those stay.
    hand_over(results, {**read_json(results / WRITTEN_NAME), **choice.point._asdict()})
    return choice


def _choose(
    checkpoint: "Checkpoint",
    contexts: list[ChatMessages],
    mine: list[str],
    seed: int,
    until: float,
    on_progress: Callable[[int, int], None],
) -> Choice | None:
    from selfchatbot.player.engines.batch import Batch

    chat_format = ChatFormat(checkpoint.tokenizer)
    length = min(CONTEXT_TOKENS, max(checkpoint.window - REPLY_TOKENS, checkpoint.window // 2))
    batch = Batch(checkpoint.model, [chat_format.prompt(context, length) for context in contexts])
    longest = min(REPLY_TOKENS, checkpoint.window - length)
    replies: dict[Point, list[str]] = {}
    said = two_at_once(
        lambda point: _replies(batch, chat_format, point, longest, seed, until), GRID, checkpoint.model.device.type
    )
    with suppress(TimeoutError):
        for point, texts in zip(GRID, said, strict=True):
            replies[point] = texts
            on_progress(len(replies), len(GRID))
    if len(replies) < 2:
        return None
    # Cut where the model's are.
    cut = style_of(chat_format.reply(chat_format.turn(text)[:longest]) for text in mine)
    return choice_among(replies, cut, seed)


def choice_among(replies: dict[Point, list[str]], mine: Style, seed: int) -> Choice:
    """The sampling whose replies are nearest to mine, unless that may be chance: then the first one, the default."""
    distances = {point: distance(style_of(texts), mine).total for point, texts in replies.items()}
    default = next(iter(replies))
    best = min(distances, key=distances.__getitem__)
    if best != default and not clearly_nearer(replies[best], replies[default], mine, seed):
        best = default
    return Choice(best, distances, style_of(replies[best]), mine)


def clearly_nearer(one: Sequence[str], other: Sequence[str], mine: Style, seed: int) -> bool:
    """Whether the style of ``one`` is nearer to mine than that of ``other``, by more than the choice of contexts does.

    Both are replies to the same contexts, which are resampled (bootstrap; Efron and Tibshirani 1993). A few dozen
    replies hardly tell similar samplings apart: then the usual one is the better guess (the one standard error rule;
    Breiman et al. 1984, "Classification and Regression Trees").
    """
    rng = random.Random(seed)
    nearer = 0
    for _ in range(RESAMPLES):
        drawn = rng.choices(range(len(one)), k=len(one))
        apart = [distance(style_of(texts[number] for number in drawn), mine).total for texts in (one, other)]
        nearer += apart[0] < apart[1]
    return nearer >= CLEARLY * RESAMPLES


def _replies(batch: "Batch", chat_format: ChatFormat, point: Point, longest: int, seed: int, until: float) -> list[str]:
    from selfchatbot.player.engines.protocol import Sampling

    defaults = GenerationParameters.model_fields
    sampling = Sampling(
        temperature=point.temperature,
        top_p=point.top_p,
        top_k=defaults["top_k"].default,
        repetition_penalty=point.repetition_penalty,
        max_new_tokens=longest,
        end=chat_format.end,
        never=frozenset(chat_format.special - {chat_format.end}),
        seed=seed,
        may_be_empty=False,
    )
    return [chat_format.reply(drawn.ids) for drawn in batch.replies(sampling, until)]


def _contexts(path: Path, seed: int) -> tuple[list[ChatMessages], list[str]]:
    """What some of my replies answer, each ending with a turn of the others, and all my replies."""
    contexts: list[ChatMessages] = []
    mine: list[str] = []
    for conversation in read_conversations(path):
        system = introduction(conversation)
        own = [message["content"] for message in conversation if message["role"] == "assistant"]
        mine += [content for content in own if content.strip()]
        contexts += [
            [*system, *conversation[max(len(system), index - CONTEXT_TURNS) : index]]
            for index in answered(conversation)
        ]
    chosen = random.Random(seed).sample(contexts, min(CONTEXTS, len(contexts)))
    return chosen, mine


__all__ = ["Choice", "Point", "choice_among", "choose_sampling", "clearly_nearer"]
