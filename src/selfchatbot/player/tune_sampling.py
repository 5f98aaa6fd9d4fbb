"""After training: tries a few samplings on the validation conversations and keeps the one that writes most like me.

The texts are compared by `selfchatbot.style`, which sees length and variety but not sense. So only samplings whose
replies make about as much sense as any are on the grid; left to itself, the comparison would choose temperature 1, at
which readers found hardly any sense (docs/likeness.md).
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
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


class GridPoint(NamedTuple):
    """One sampling of the grid."""

    temperature: float
    top_p: float
    repetition_penalty: float


GRID = (
    GridPoint(0.4, 0.9, 1.0),  # the defaults
    GridPoint(0.6, 0.9, 1.0),
    GridPoint(0.5, 0.9, 1.0),
    GridPoint(0.3, 0.9, 1.0),
)
"""The most promising first: if time runs out, the rest is not tried."""
MIN_SHARE_NEARER = 0.84
"""Share of the resamples in which a sampling must be nearer to me than the defaults: one standard error."""
RESAMPLES = 100
MAX_CONTEXTS = 64
CONTEXTS_PER_BATCH = 16
"""Their keys and values are copied for each sampling, and two samplings are tried at once."""
CONTEXT_TURNS = 4
CONTEXT_TOKENS = 96
REPLY_TOKENS = 40
MIN_CONTEXTS = 8
"""With fewer, the result would be chance."""
MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SamplingChoice:
    """The sampling that was chosen, and why."""

    point: GridPoint
    distances: dict[GridPoint, float]
    """From my replies, for each point that was tried, the defaults first; see `selfchatbot.style.Distance.total`."""
    style: Style
    mine: Style

    def reason(self) -> str:
        """One line for the log; numbers only."""
        default = next(iter(self.distances))
        why = "stay: nothing else is clearly nearer" if self.point == default else "are nearest"
        return (
            f"sampling: temperature {self.point.temperature:g}, top_p {self.point.top_p:g} and repetition_penalty "
            f"{self.point.repetition_penalty:g} {why} to my validation replies: distance "
            f"{self.distances[self.point]:.2f} (defaults {self.distances[default]:.2f}), {self.style.characters:.0f} "
            f"characters per reply (mine {self.mine.characters:.0f}), {self.style.messages:.1f} messages "
            f"({self.mine.messages:.1f}), {self.style.repetition:.0%} repeated words ({self.mine.repetition:.0%}); "
            f"{self.style.replies} replies with each of {len(self.distances)} samplings"
        )


def choose_sampling(
    data: Path,
    results: Path,
    seed: int,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
    machine: Machine | None = None,
    seconds: float = MAX_SECONDS,
) -> SamplingChoice | None:
    """Try the samplings of ``GRID`` with best/; one that is clearly nearest to me goes into results/parameters.json.

    The user's own edits there are kept. ``on_progress`` gets the number of samplings tried and of all. Samplings that
    are not complete after ``seconds`` don't count.

    Returns None, and changes nothing, if validation.jsonl has fewer than ``MIN_CONTEXTS`` replies of mine to something
    or if there was time for one sampling only. Raises SelfChatBotError when the checkpoint can't be loaded.
    """
    from selfchatbot.player.checkpoint import load_checkpoint

    until = time.monotonic() + seconds
    contexts, mine = _contexts(data / "validation.jsonl", seed)
    if len(contexts) < MIN_CONTEXTS:
        logger.info("sampling: too few validation replies to choose by: the defaults stay")
        return None
    on_progress(0, len(GRID))
    parameters = read_parameters(results / FILE_NAME, GenerationParameters)
    checkpoint = load_checkpoint(results / "best", parameters, machine)
    choice = _choose(checkpoint, parameters, contexts, mine, seed, until, on_progress)
    if choice is None:
        logger.info("sampling: %.0f seconds are too short to compare on this machine: the defaults stay", seconds)
        return None
    logger.info("%s", choice.reason())
    # WRITTEN_NAME records what training wrote last, without the user's edits: that keeps the edits.
    hand_over(results, {**read_json(results / WRITTEN_NAME), **choice.point._asdict()})
    return choice


def _choose(
    checkpoint: "Checkpoint",
    parameters: GenerationParameters,
    contexts: list[ChatMessages],
    mine: list[str],
    seed: int,
    until: float,
    on_progress: Callable[[int, int], None],
) -> SamplingChoice | None:
    from selfchatbot.player.engines.batch import Batch

    chat_format = ChatFormat(checkpoint.tokenizer)
    prompt_tokens = min(CONTEXT_TOKENS, max(checkpoint.window - REPLY_TOKENS, checkpoint.window // 2))
    prompts = sorted(  # little padding
        (
            (chat_format.prompt(context, prompt_tokens), chat_format.prompt(introduction(context), prompt_tokens))
            for context in contexts
        ),
        key=lambda pair: len(pair[0]),
    )
    batches = [
        Batch(checkpoint.model, *map(list, zip(*prompts[start : start + CONTEXTS_PER_BATCH], strict=True)))
        for start in range(0, len(prompts), CONTEXTS_PER_BATCH)
    ]
    reply_tokens = min(REPLY_TOKENS, checkpoint.window - prompt_tokens)
    parameters = parameters.model_copy(update={"max_new_tokens": reply_tokens})
    replies: dict[GridPoint, list[str]] = {}
    generated = two_at_once(
        lambda point: _replies(batches, chat_format, parameters, point, seed, until),
        GRID,
        checkpoint.model.device.type,
    )
    with suppress(TimeoutError):
        for point, texts in zip(GRID, generated, strict=True):
            replies[point] = texts
            on_progress(len(replies), len(GRID))
    if len(replies) < 2:
        return None
    # My replies are cut at the same length as the model's.
    style = style_of(chat_format.reply(chat_format.turn(text)[:reply_tokens]) for text in mine)
    return choice_among(replies, style, seed)


def choice_among(replies: dict[GridPoint, list[str]], mine: Style, seed: int) -> SamplingChoice:
    """The sampling whose replies are nearest to mine, or the first one, the default, if that may be chance."""
    distances = {point: distance(style_of(texts), mine).total for point, texts in replies.items()}
    default = next(iter(replies))
    best = min(distances, key=distances.__getitem__)
    if best != default and not clearly_nearer(replies[best], replies[default], mine, seed):
        best = default
    return SamplingChoice(best, distances, style_of(replies[best]), mine)


def clearly_nearer(one: Sequence[str], other: Sequence[str], mine: Style, seed: int) -> bool:
    """Whether the style of ``one`` is nearer to mine than that of ``other`` by more than sampling error.

    Both are replies to the same contexts, which are resampled (bootstrap; Efron and Tibshirani 1993). A few dozen
    replies hardly distinguish similar samplings, so the default wins unless the difference exceeds one standard error
    (Breiman et al. 1984, "Classification and Regression Trees").
    """
    rng = random.Random(seed)
    nearer = 0
    for _ in range(RESAMPLES):
        drawn = rng.choices(range(len(one)), k=len(one))
        distances = [distance(style_of(texts[number] for number in drawn), mine).total for texts in (one, other)]
        nearer += distances[0] < distances[1]
    return nearer >= MIN_SHARE_NEARER * RESAMPLES


def _replies(
    batches: "Sequence[Batch]",
    chat_format: ChatFormat,
    parameters: GenerationParameters,
    point: GridPoint,
    seed: int,
    until: float,
) -> list[str]:
    from selfchatbot.player.engines.protocol import Sampling

    tried = parameters.model_copy(update=point._asdict())
    room = tried.max_new_tokens
    sampling = Sampling.of(tried, chat_format.end, chat_format.special, room, seed, may_be_empty=False)
    return [
        chat_format.reply(candidate.ids)
        for number, batch in enumerate(batches)
        for candidate in batch.replies(replace(sampling, seed=seed + number), until)
    ]


def _contexts(path: Path, seed: int) -> tuple[list[ChatMessages], list[str]]:
    """Up to ``MAX_CONTEXTS`` contexts that I replied to, each ending with a turn of the others, and all my replies."""
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
    chosen = random.Random(seed).sample(contexts, min(MAX_CONTEXTS, len(contexts)))
    return chosen, mine


__all__ = ["GridPoint", "SamplingChoice", "choice_among", "choose_sampling", "clearly_nearer"]
