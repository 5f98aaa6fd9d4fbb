"""The replies of the two models: mine, and its base model, which is shown a few messages of mine."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from selfchatbot.chat_format import ChatFormat
from selfchatbot.likeness.run.model_pair import UNLIMITED_TOKENS, ModelPair
from selfchatbot.likeness.run.progress import OnProgress
from selfchatbot.likeness.speakers import ModelSpeaker
from selfchatbot.messages import ChatMessages, introduction
from selfchatbot.parameters import GenerationParameters

if TYPE_CHECKING:
    from selfchatbot.player.reply.reranking import Candidate

CONTEXTS_PER_BATCH = 32
"""A larger batch would wait longer for its longest reply."""
CONTEXT_TOKENS = 160
"""Read of a context, besides a system message: about seven turns, which is what the time on a CPU allows."""
FEW_SHOT_TOKENS = 320
MAX_BASE_TOKENS = 64
"""Longest reply of the base model, which hardly knows when to stop: waiting for it took longer than all the rest."""
INSTRUCTION = (
    "You are texting with somebody. Write the next message as this person would, in the same style. "
    "Messages that this person has written:\n"
)


@dataclass(frozen=True, slots=True)
class GeneratedReply:
    """One reply of a model."""

    text: str
    """As a player shows it."""
    made: str
    """As the model generated it, before anything was cut."""
    finished: bool
    """Whether the model ended the turn by itself."""


class PromptedContext(NamedTuple):
    """One context to be answered."""

    context: ChatMessages
    prompt: list[int]
    alone: tuple[int, ...]
    """The prompt without the context."""


def generate_replies(
    pair: ModelPair,
    speaker: ModelSpeaker,
    contexts: Sequence[ChatMessages],
    few_shot: Sequence[str],
    names: Collection[str],
    on_progress: OnProgress = lambda _done, _of: None,
    parameters: GenerationParameters | None = None,
) -> list[GeneratedReply]:
    """The reply of a model to each of ``contexts``, which end with a turn of the others or are empty.

    ``few_shot``: the messages of mine that the base model is shown. ``names``: precede messages of others in groups.
    Both models sample as ``parameters`` say, by default parameters.json, and are cut where a player would cut them;
    only the base model, which would take longest, generates a single candidate.
    """
    parameters, chat_format = parameters or pair.parameters, pair.chat_format
    unused = {"num_return_sequences"} | ({"best_of"} if speaker == "base" else set())
    room = max(pair.window - parameters.max_new_tokens, pair.window // 2)
    prompt = partial(few_shot_prompt, few_shot=few_shot) if speaker == "base" else context_prompt
    prompts = [prompt(chat_format, context, room) for context in contexts]
    order = sorted(range(len(contexts)), key=lambda number: -len(prompts[number]))  # little padding
    batches = [order[start : start + CONTEXTS_PER_BATCH] for start in range(0, len(order), CONTEXTS_PER_BATCH)]
    # Candidates are compared by their probability with and without the context.
    alone = [tuple(chat_format.prompt(introduction(context), pair.window)) for context in contexts]
    depends_on = {
        "sampling": parameters.model_dump(exclude={"model", "seed", *unused}),
        "seed": pair.seed,
        "contexts": contexts,
        "prompts": prompts,
        "names": sorted(names),
        "sizes": [CONTEXTS_PER_BATCH, MAX_BASE_TOKENS],
    }

    def answer(batch: list[int]) -> list[dict[str, Any]]:
        prompted = [PromptedContext(contexts[number], prompts[number], alone[number]) for number in batch]
        seed = (pair.seed + 1_000_003 * batches.index(batch)) % 2**32
        return [asdict(reply) for reply in _answer(pair, speaker, parameters, prompted, names, seed)]

    found = pair.computed(
        "replies",
        speaker,
        depends_on,
        batches,
        answer,
        lambda done: on_progress(min(done * CONTEXTS_PER_BATCH, len(contexts)), len(contexts)),
    )
    replies = {
        number: one for batch, line in zip(batches, found, strict=True) for number, one in zip(batch, line, strict=True)
    }
    return [GeneratedReply(**replies[number]) for number in range(len(contexts))]


def context_prompt(chat_format: ChatFormat, messages: ChatMessages, window: int) -> list[int]:
    """The prompt after ``messages``: any system message and the last ``CONTEXT_TOKENS``, at most ``window`` in all."""
    system = introduction(messages)
    head = len(chat_format.prompt(system, UNLIMITED_TOKENS)) if system else 0
    return chat_format.prompt(messages, min(CONTEXT_TOKENS + head, window))


def few_shot_prompt(chat_format: ChatFormat, messages: ChatMessages, window: int, few_shot: Sequence[str]) -> list[int]:
    """The same after an instruction and as many examples as fit ``FEW_SHOT_TOKENS``."""
    system = introduction(messages)
    turns = messages[len(system) :]
    # Templates without system messages put it before the first turn, which a long conversation loses.
    role = "user" if chat_format.texts()["system"] is None else "system"
    examples = list(few_shot)
    while True:
        # The same text comes first in all contexts, so that a batch reads it once.
        text = "\n\n".join([INSTRUCTION + "\n".join(examples), *(one["content"] for one in system)])
        head = len(chat_format.prompt([{"role": role, "content": text}], UNLIMITED_TOKENS))
        if not examples or head <= FEW_SHOT_TOKENS:
            break
        examples.pop()
    if turns and role == "user":
        prompted = [*turns[:-1], {"role": role, "content": f"{text}\n\n{turns[-1]['content']}"}]
    else:
        prompted = [{"role": role, "content": text}, *turns]
    return chat_format.prompt(prompted, min(CONTEXT_TOKENS + head, window))


def _answer(
    pair: ModelPair,
    speaker: ModelSpeaker,
    parameters: GenerationParameters,
    prompted: Sequence[PromptedContext],
    names: Collection[str],
    seed: int,
) -> list[GeneratedReply]:
    """One batch."""
    from selfchatbot.player.engines.batch import Batch
    from selfchatbot.player.engines.protocol import Sampling
    from selfchatbot.player.reply.truncation import Truncator

    chat_format, prompts = pair.chat_format, [one.prompt for one in prompted]
    left = pair.window - max(map(len, prompts))
    if speaker == "base":
        left = min(left, MAX_BASE_TOKENS)
    sampling = Sampling.of(parameters, chat_format.end, chat_format.special, left, seed, may_be_empty=False)
    count = parameters.drawn() if speaker == "model" else 1
    bare_prompts = [list(one.alone) for one in prompted] if parameters.guidance else None
    batch = Batch(pair.loaded(speaker).model, prompts, bare_prompts)
    candidates = [
        batch.replies(replace(sampling, seed=(seed + number) % 2**32), last=number == count - 1)
        for number in range(count)
    ]
    best = [0] * len(prompted) if count == 1 else _best(pair, [one.alone for one in prompted], candidates)
    replies = []
    for number, one in enumerate(prompted):
        truncate = Truncator(chat_format.markers, one.context, names)
        candidate = candidates[best[number]][number]
        text, _ = truncate(chat_format.reply(candidate.without_loop().ids))
        replies.append(GeneratedReply(text, chat_format.reply(candidate.ids), candidate.ended))
    return replies


def _best(pair: ModelPair, alone: Sequence[tuple[int, ...]], candidates: "Sequence[Sequence[Candidate]]") -> list[int]:
    """For each context, which of its candidates fits best, chosen as `Player` does.

    ``alone``: each prompt without its context. Contexts that share it are scored together.
    """
    from selfchatbot.player.engines.likelihood import continuation_log_probabilities
    from selfchatbot.player.reply.reranking import pmi_scores

    model, chat_format = pair.loaded("model").model, pair.chat_format
    best = [0] * len(alone)
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for number, prompt in enumerate(alone):
        by_prompt.setdefault(prompt, []).append(number)
    for prompt, numbers in by_prompt.items():
        texts = [one[number].without_loop() for number in numbers for one in candidates]
        scores = pmi_scores(texts, chat_format.end, list(prompt), partial(continuation_log_probabilities, model))
        for place, number in enumerate(numbers):
            own = scores[place * len(candidates) : (place + 1) * len(candidates)]
            best[number] = own.index(max(own))
    return best
