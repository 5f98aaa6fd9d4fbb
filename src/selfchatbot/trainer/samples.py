"""What the model says at a few places of the validation conversations, beside what I really said there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import ChatFormat
from selfchatbot.messages import ChatMessages, answered, read_conversations

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LONGEST_ANSWER, LONGEST_CONTEXT = 40, 128
"""In tokens."""
SHORTEST = 3
"""Words on both sides of an exchange that shows something."""
TEMPERATURE, TOP_P = 0.8, 0.95
"""The likeliest words alone would be the same for nearly every context; among all, some make no sense."""


@dataclass(slots=True)
class Sample:
    """One place where I answered."""

    said: str
    """The turn that is answered."""
    mine: str
    """What I really answered."""
    answers: dict[int, str] = field(default_factory=dict)
    """What the model answers after so many steps."""


class Samples:
    """``count`` places, the same in every run with the same conversations."""

    def __init__(self, conversations: Path, count: int, chat_format: ChatFormat, max_length: int) -> None:
        """``max_length``: the longest window of the model, in tokens; context and answer fit into it."""
        self._chat_format = chat_format
        self._new = min(LONGEST_ANSWER, max_length // 2)
        contexts = _contexts(list(read_conversations(conversations)), count) if count else []
        self.all = [Sample(context[-1]["content"], mine) for context, mine in contexts]
        room = min(LONGEST_CONTEXT, max_length - self._new)
        self._prompts = [chat_format.prompt(context, room) for context, _ in contexts]

    @torch.no_grad()
    def answer(self, model: "PreTrainedModel", step: int) -> list[Sample]:
        """All samples with the answers of ``model``, which has been trained for ``step`` steps and is not training.

        No random state is changed: the same model gives the same answers, and training goes on as without them.
        """
        if not self.all:
            return []
        width = max(map(len, self._prompts))
        end = self._chat_format.end
        # Padding stands at the left here: all answers begin at the same place.
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
            said = row[: row.index(end)] if end in row else row
            sample.answers[step] = self._chat_format.reply(said)
        return self.all


def _contexts(conversations: list[ChatMessages], count: int) -> list[tuple[ChatMessages, str]]:
    """What stands before replies of mine, and the replies: spread over all conversations, few words only if need be."""
    places = [
        (conversation[:turn], conversation[turn]["content"])
        for conversation in conversations
        for turn in answered(conversation)
    ]
    telling = [
        (context, mine)
        for context, mine in places
        if min(len(mine.split()), len(context[-1]["content"].split())) >= SHORTEST
    ]
    if len(telling) >= count:
        places = telling
    count = min(count, len(places))
    return [places[(2 * number + 1) * len(places) // (2 * count)] for number in range(count)]
