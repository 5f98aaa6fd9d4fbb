"""What the two speakers that are models answer: mine, and its base model, which is shown a few messages of mine."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from selfchatbot.chat_format import ChatFormat
from selfchatbot.likeness.run.model_pair import UNLIMITED, Modelled, Models
from selfchatbot.messages import ChatMessages, introduction

if TYPE_CHECKING:
    from selfchatbot.player.reply.reranking import Candidate

BATCH = 32
"""Contexts that are answered at once: more of them would wait longer for the longest reply."""
CONTEXT_TOKENS = 160
"""What is read of a context, besides a system message: some seven turns, which is what the time allows on a CPU."""
FEW_SHOT_TOKENS = 320
BASE_TOKENS = 64
"""Longest reply of the base model, which hardly knows when to stop: to wait for it took longer than all the rest."""
INSTRUCTION = (
    "You are texting with somebody. Write the next message as this person would, in the same style. "
    "Messages that this person has written:\n"
)


@dataclass(frozen=True, slots=True)
class Said:
    """One reply."""

    text: str
    """As a player shows it."""
    made: str
    """As the model made it, before anything was cut."""
    finished: bool
    """Whether the model ended it by itself."""


class Asked(NamedTuple):
    """One context that is to be answered."""

    context: ChatMessages
    prompt: list[int]
    alone: tuple[int, ...]
    """The prompt without the context."""


def replies(
    models: Models,
    speaker: Modelled,
    contexts: Sequence[ChatMessages],
    few_shot: Sequence[str],
    names: Collection[str],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Said]:
    """What a speaker answers to each of ``contexts``, which end with a turn of the others or hold none.

    ``few_shot`` are the messages of mine that the base model is shown, ``names`` those whose words are not mine. Both
    are sampled as parameters.json says, and cut where a player would cut them; of the base model, which would take
    longest, the first candidate is taken.
    """
    parameters, chat_format = models.parameters, models.chat_format
    unused = {"num_return_sequences"} | ({"best_of"} if speaker == "base" else set())
    room = max(models.window - parameters.max_new_tokens, models.window // 2)
    prompt = partial(few_shot_prompt, few_shot=few_shot) if speaker == "base" else context_prompt
    prompts = [prompt(chat_format, context, room) for context in contexts]
    order = sorted(range(len(contexts)), key=lambda number: -len(prompts[number]))  # little padding
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    # Of a reply without its context, which candidates are compared by.
    alone = [tuple(chat_format.prompt(introduction(context), models.window)) for context in contexts]
    depends_on = {
        "sampling": parameters.model_dump(exclude={"model", "seed", *unused}),
        "seed": models.seed,
        "contexts": contexts,
        "prompts": prompts,
        "names": sorted(names),
        "sizes": [BATCH, BASE_TOKENS],
    }

    def answer(batch: list[int]) -> list[dict[str, Any]]:
        asked = [Asked(contexts[number], prompts[number], alone[number]) for number in batch]
        seed = (models.seed + 1_000_003 * batches.index(batch)) % 2**32
        return [asdict(said) for said in _answers(models, speaker, asked, names, seed)]

    found = models.computed(
        "replies",
        speaker,
        depends_on,
        batches,
        answer,
        lambda done: on_progress(min(done * BATCH, len(contexts)), len(contexts)),
    )
    said = {
        number: one for batch, line in zip(batches, found, strict=True) for number, one in zip(batch, line, strict=True)
    }
    return [Said(**said[number]) for number in range(len(contexts))]


def context_prompt(chat_format: ChatFormat, messages: ChatMessages, window: int) -> list[int]:
    """The prompt after ``messages``: ``CONTEXT_TOKENS`` of it beside a system message, at most ``window`` in all."""
    system = introduction(messages)
    head = len(chat_format.prompt(system, UNLIMITED)) if system else 0
    return chat_format.prompt(messages, min(CONTEXT_TOKENS + head, window))


def few_shot_prompt(chat_format: ChatFormat, messages: ChatMessages, window: int, few_shot: Sequence[str]) -> list[int]:
    """The same with an instruction before it, and as many examples as there is room for."""
    system = introduction(messages)
    turns = messages[len(system) :]
    # A template without system messages has it before the first turn, which is left out of a long conversation.
    role = "user" if chat_format.texts()["system"] is None else "system"
    examples = list(few_shot)
    while True:
        # The same words come first in all contexts: a batch reads them once.
        text = "\n\n".join([INSTRUCTION + "\n".join(examples), *(one["content"] for one in system)])
        head = len(chat_format.prompt([{"role": role, "content": text}], UNLIMITED))
        if not examples or head <= FEW_SHOT_TOKENS:
            break
        examples.pop()
    if turns and role == "user":
        prompted = [*turns[:-1], {"role": role, "content": f"{text}\n\n{turns[-1]['content']}"}]
    else:
        prompted = [{"role": role, "content": text}, *turns]
    return chat_format.prompt(prompted, min(CONTEXT_TOKENS + head, window))


def _answers(
    models: Models,
    speaker: Modelled,
    asked: "Sequence[Asked]",
    names: Collection[str],
    seed: int,
) -> list[Said]:
    from selfchatbot.player.engines.batch import Batch
    from selfchatbot.player.engines.protocol import Sampling
    from selfchatbot.player.reply.truncation import Truncator

    parameters, chat_format, prompts = models.parameters, models.chat_format, [one.prompt for one in asked]
    left = models.window - max(map(len, prompts))
    if speaker == "base":
        left = min(left, BASE_TOKENS)
    sampling = Sampling.of(parameters, chat_format.end, chat_format.special, left, seed, may_be_empty=False)
    count = parameters.drawn() if speaker == "model" else 1
    batch = Batch(models.loaded(speaker).model, prompts)
    drawn = [
        batch.replies(replace(sampling, seed=(seed + number) % 2**32), last=number == count - 1)
        for number in range(count)
    ]
    best = [0] * len(asked) if count == 1 else _best(models, [one.alone for one in asked], drawn)
    said = []
    for number, one_asked in enumerate(asked):
        truncate = Truncator(chat_format.markers, one_asked.context, names)
        one = drawn[best[number]][number]
        text, _ = truncate(chat_format.reply(one.without_loop().ids))
        said.append(Said(text, chat_format.reply(one.ids), one.ended))
    return said


def _best(models: Models, beginnings: Sequence[tuple[int, ...]], drawn: "Sequence[Sequence[Candidate]]") -> list[int]:
    """Which of the candidates that were ``drawn`` for each context fits it best, as `Player` chooses.

    ``beginnings``: of each, the prompt without the context.
    """
    from selfchatbot.player.engines.likelihood import of_continuations
    from selfchatbot.player.reply.reranking import pmi_scores

    model, chat_format = models.loaded("model").model, models.chat_format
    best = [0] * len(beginnings)
    by_beginning: dict[tuple[int, ...], list[int]] = {}
    for number, beginning in enumerate(beginnings):
        by_beginning.setdefault(beginning, []).append(number)
    for beginning, numbers in by_beginning.items():
        candidates = [one[number].without_loop() for number in numbers for one in drawn]
        found = pmi_scores(candidates, chat_format.end, list(beginning), partial(of_continuations, model))
        for place, number in enumerate(numbers):
            own = found[place * len(drawn) : (place + 1) * len(drawn)]
            best[number] = own.index(max(own))
    return best
