"""Pairs of a better and a worse reply to the same context, for preference rounds.

Most are made of the conversations themselves: what I really answered is better than what I answered elsewhere. Each
reply is about as often the better as the worse one, so nothing is learned about replies as such, only whether one fits.
The others are ratings from sessions.
"""

import json
import math
import random
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from selfchatbot.chat_format import ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, answered, encodable, introduction, read_conversations

MOST_PAIRS = 2500
"""Of replies, in a round: with so many, blind readers found more sense in the replies, see docs/training.md."""
VALIDATION_PAIRS = 200
"""The standard error of a pair accuracy of 0.8 is then 0.03."""
PAIRS_PER_STEP = 16
PROMPT_TOKENS = 300
"""Longest context: whether a reply fits is decided by the last messages."""
NEAREST, FARTHEST = 20, 120
"""How many places away a worse reply is, among all replies ordered by length."""
REPLIES_AT_ONCE = 256
"""That are tokenized in one call."""
TRIES = 20
"""How often another worse reply is drawn if it says the same as the better one."""


class Pair(NamedTuple):
    """Token ids: of a context and of two replies to it with their end tokens."""

    prompt: "array[int]"
    chosen: "array[int]"
    rejected: "array[int]"

    @property
    def tokens(self) -> int:
        """Of both sequences."""
        return 2 * len(self.prompt) + len(self.chosen) + len(self.rejected)


@dataclass(frozen=True, slots=True)
class Preferences:
    """The pairs of all rounds of a training."""

    rounds: tuple[list[Pair], ...] = ()
    """In the order in which they are trained."""
    validation: tuple[Pair, ...] = ()

    @property
    def steps(self) -> list[int]:
        """Of each round."""
        return [math.ceil(len(pairs) / PAIRS_PER_STEP) for pairs in self.rounds]

    @property
    def cost(self) -> float:
        """In tokens of supervised training, where a forward pass is half a step, as with frozen weights.

        In a round, each pair is read once for the reference and trained once.
        """
        trained = sum(pair.tokens for pairs in self.rounds for pair in pairs) * 3 / 2
        return trained + sum(pair.tokens for pair in self.validation) / 2 * (len(self.rounds) + bool(self.rounds))


class Replies:
    """All replies of mine in a JSONL file of conversations that answer a turn of the others.

    Raises SelfChatBotError with file and line for anything that is not a conversation.
    """

    def __init__(self, conversations: Path, chat_format: ChatFormat, max_length: int) -> None:
        self._conversations = conversations
        self._chat_format = chat_format
        self._prompt_tokens = min(PROMPT_TOKENS, max_length // 2)
        self._places: list[tuple[int, int]] = []
        """The numbers of the conversation and of the turn."""
        self._texts: list[str] = []
        lengths: list[int] = []
        found = _replies(conversations)
        while some := list(islice(found, REPLIES_AT_ONCE)):
            for (place, text), ids in zip(some, chat_format.turns([text for _, text in some]), strict=True):
                if len(ids) <= max_length - self._prompt_tokens:
                    self._places.append(place)
                    self._texts.append(text)
                    lengths.append(len(ids))
        self._lengths = lengths

    def pairs(self, seed: int, most: int) -> list[Pair]:
        """At most ``most`` pairs, one for each reply that is the better one, chosen and ordered by ``seed``.

        A reply that has no other of like length that says something else is left out.
        """
        chance = random.Random(seed)
        places = list(range(len(self._texts)))
        chance.shuffle(places)  # the order of replies of equal length
        by_length = sorted(places, key=self._lengths.__getitem__)
        rank = {index: number for number, index in enumerate(by_length)}
        worse = {}
        for index in places[:most]:
            other = self._other(rank[index], by_length, chance)
            if other is not None:
                worse[self._places[index]] = (index, other)
        turn = self._chat_format.turn
        pairs = [
            Pair(prompt, array("i", turn(self._texts[worse[place][0]])), array("i", turn(self._texts[worse[place][1]])))
            for place, prompt in self._prompts(worse)
        ]
        chance.shuffle(pairs)
        return pairs

    def _other(self, rank: int, by_length: list[int], chance: random.Random) -> int | None:
        """A reply ``NEAREST`` to ``FARTHEST`` places away from that at ``rank``, nearer if there are few."""
        last = len(by_length) - 1
        nearest = max(1, min(NEAREST, last // 4))
        farthest = max(nearest, min(FARTHEST, last // 2))
        mine = self._texts[by_length[rank]]
        for _ in range(TRIES):
            place = rank + chance.choice((-1, 1)) * chance.randint(nearest, farthest)
            if 0 <= place <= last and self._texts[by_length[place]] != mine:
                return by_length[place]
        return None

    def _prompts(self, places: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], "array[int]"]]:
        wanted: dict[int, list[int]] = {}
        for conversation, turn in places:
            wanted.setdefault(conversation, []).append(turn)
        for number, messages in enumerate(read_conversations(self._conversations)):
            for turn in sorted(wanted.get(number, ())):
                # A turn has two tokens at least, so earlier ones would be cut anyway.
                first = max(len(introduction(messages)), turn - self._prompt_tokens // 2)
                context = [*introduction(messages), *messages[first:turn]]
                yield (number, turn), array("i", self._chat_format.prompt(context, self._prompt_tokens))


def read_preferences(path: Path) -> list[tuple[ChatMessages, str, str]]:
    """Context, better and worse reply of each line of preferences.jsonl; empty if there is no such file.

    The format is TRL's conversational one with an explicit prompt, see `session.preferences`. Lines whose two replies
    are the same are left out. Raises SelfChatBotError with file and line for any other line.
    """
    if not path.is_file():
        return []
    found = []
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
                prompt = [_message(message) for message in values["prompt"]]
                (chosen,), (rejected,) = map(_message, values["chosen"]), map(_message, values["rejected"])
                well_formed = all(
                    reply["role"] == "assistant" and reply["content"].strip() for reply in (chosen, rejected)
                ) and (not prompt or prompt[-1]["role"] == "user")
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                well_formed = False
            if not well_formed:
                raise SelfChatBotError(
                    f'{path}, line {number}: expected {{"prompt": [..., {{"role": "user", "content": ...}}], "chosen": '
                    '[{"role": "assistant", "content": ...}], "rejected": [...]}: mend or remove this line'
                )
            if chosen["content"].strip() != rejected["content"].strip():
                found.append((prompt, chosen["content"], rejected["content"]))
    return found


def rated_pairs(path: Path, chat_format: ChatFormat, max_length: int) -> list[Pair]:
    """The pairs of preferences.jsonl, without replies that are too long for ``max_length`` tokens."""
    room = min(PROMPT_TOKENS, max_length // 2)
    pairs = [
        Pair(*(array("i", ids) for ids in (chat_format.prompt(prompt, room), *chat_format.turns([better, worse]))))
        for prompt, better, worse in read_preferences(path)
    ]
    return [pair for pair in pairs if max(len(pair.chosen), len(pair.rejected)) <= max_length - room]


def make_preferences(
    rounds: int, train: Path, validation: Path, ratings: list[Pair], chat_format: ChatFormat, max_length: int, seed: int
) -> Preferences:
    """Pairs for ``rounds`` rounds, other ones in each, with ``ratings`` in every round. There are no empty rounds."""
    replies = Replies(train, chat_format, max_length)
    made = []
    for number in range(rounds):
        pairs = replies.pairs(seed * 1_000_003 + number, MOST_PAIRS) + ratings
        random.Random(seed + number).shuffle(pairs)
        made.append(pairs)
    held_out = Replies(validation, chat_format, max_length).pairs(0, VALIDATION_PAIRS)
    return Preferences(tuple(pairs for pairs in made if pairs), tuple(held_out))


def _replies(conversations: Path) -> Iterator[tuple[tuple[int, int], str]]:
    for number, messages in enumerate(read_conversations(conversations)):
        for turn in answered(messages):
            yield (number, turn), messages[turn]["content"].strip()


def _message(message: Any) -> dict[str, str]:
    if message["role"] not in ("system", "user", "assistant") or not isinstance(message["content"], str):
        raise ValueError
    return {"role": message["role"], "content": encodable(message["content"])}
