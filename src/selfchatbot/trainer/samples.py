"""The model's answers at a few places of the validation conversations, next to what I really answered."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import ChatFormat
from selfchatbot.messages import ChatMessages, answered, read_conversations

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MAX_ANSWER_TOKENS, MAX_CONTEXT_TOKENS = 40, 128
MIN_WORDS = 3
"""On both sides of an exchange: shorter ones show little."""
TEMPERATURE, TOP_P = 0.8, 0.95
"""Greedy answers are nearly the same in every context; with less restriction, some make no sense."""


@dataclass(slots=True)
class Sample:
    """One place where I answered."""

    question: str
    """The turn to answer."""
    mine: str
    """What I really answered."""
    answers: dict[int, str] = field(default_factory=dict)
    """The model's answers, by the step after which they were given."""


class Samples:
    """``count`` places, the same for every run with the same conversations."""

    def __init__(self, conversations: Path, count: int, chat_format: ChatFormat, max_length: int) -> None:
        """``max_length``: the longest window of the model, in tokens; context and answer fit into it."""
        self._chat_format = chat_format
        self._new = min(MAX_ANSWER_TOKENS, max_length // 2)
        contexts = _contexts(list(read_conversations(conversations)), count) if count else []
        self.all = [Sample(context[-1]["content"], mine) for context, mine in contexts]
        room = min(MAX_CONTEXT_TOKENS, max_length - self._new)
        self._prompts = [chat_format.prompt(context, room) for context, _ in contexts]

    @torch.no_grad()
    def answer(self, model: "PreTrainedModel", step: int) -> list[Sample]:
        """All samples with the answers of ``model``, in evaluation mode, after ``step`` steps of training.

        No random state changes: the same model gives the same answers, and training continues as if without them.
        """
        if not self.all:
            return []
        width = max(map(len, self._prompts))
        end = self._chat_format.end
        # Padding on the left: all answers begin at the same place.
        ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt in self._prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in self._prompts]).to(
            ids.device
        )
        never = sorted(self._chat_format.special - {end})
        with torch.random.fork_rng():
            torch.manual_seed(0)
            generated = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=self._new,
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=TOP_P,
                top_k=0,
                repetition_penalty=1.0,
                suppress_tokens=never or None,
                eos_token_id=end,
                pad_token_id=end,
            )
        for sample, row in zip(self.all, generated[:, width:].tolist(), strict=True):
            sample.answers[step] = self._chat_format.reply(row[: row.index(end)] if end in row else row)
        return self.all


def _contexts(conversations: list[ChatMessages], count: int) -> list[tuple[ChatMessages, str]]:
    """Replies of mine with what comes before: spread over all conversations, short ones only if there are too few."""
    places = [
        (conversation[:turn], conversation[turn]["content"])
        for conversation in conversations
        for turn in answered(conversation)
    ]
    long_enough = [
        (context, mine)
        for context, mine in places
        if min(len(mine.split()), len(context[-1]["content"].split())) >= MIN_WORDS
    ]
    if len(long_enough) >= count:
        places = long_enough
    count = min(count, len(places))
    return [places[(2 * number + 1) * len(places) // (2 * count)] for number in range(count)]
