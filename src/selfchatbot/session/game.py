"""Me or model? A real reply of mine from the test conversations beside the model's, in random order.

The model never saw these conversations. Somebody who can't tell the replies apart is right half the time.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from selfchatbot.environment import conversations_file
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import read_jsonl
from selfchatbot.messages import ChatMessages, answered, read_conversations
from selfchatbot.player import Player
from selfchatbot.statistics import wilson

GAME_FILE = "game.jsonl"
Side = Literal["a", "b"]
MIN_WORDS = 2
"""Shorter replies can't be told apart by anyone."""
MAX_ATTEMPTS = 3
"""Generations of a reply that differs from the real one."""
SHOWN_TURNS = 4


@dataclass(frozen=True, slots=True)
class Round:
    """One context and two replies to it."""

    conversation: int
    """The number of its line in test.jsonl, from 1."""
    turn: int
    """The index of the real reply in the conversation's messages."""
    context: ChatMessages
    """Ends with a turn of the others."""
    a: str
    b: str
    real: Side
    """To be shown after the guess."""

    @property
    def shown(self) -> ChatMessages:
        """The end of the context, which is shown."""
        return [message for message in self.context[-SHOWN_TURNS:] if message["role"] != "system"]


@dataclass(frozen=True, slots=True)
class Score:
    """How often the real reply was found."""

    right: int
    guesses: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the share of right guesses (Wilson 1927), from 0 to 1."""
        return wilson(self.right, self.guesses)

    @property
    def count(self) -> str:
        """``3 of 4 right``."""
        return f"{self.right} of {self.guesses} right"

    def __str__(self) -> str:
        """What the guesses tell, in words that need no statistics."""
        if not self.guesses:
            return "no guess"
        low, high = self.interval
        if low > 0.5:
            meaning = "the model can be told from you"
        elif high < 0.5:
            meaning = "the model was taken for you more often than you were"
        else:
            meaning = "that may as well be luck"
        return (
            f"{self.count} ({self.right / self.guesses:.0%}): {meaning}. Tossing a coin gets 50%; over many more "
            f"rounds, you would probably get between {low:.0%} and {high:.0%}"
        )


class Game:
    """The rounds of one dataset. Guesses are appended to ``results``/game.jsonl, which holds no message text.

    ``checkpoint`` is the name that guesses are recorded under. Raises SelfChatBotError if there is nothing to guess.
    """

    def __init__(self, player: Player, data: Path, results: Path, checkpoint: str, seed: int | None = None) -> None:
        self._player = player
        self._path = results / GAME_FILE
        self._checkpoint = checkpoint
        self._random = random.Random(seed)
        self._conversations: list[ChatMessages] = list(read_conversations(conversations_file(data, "test")))
        self._right: list[bool] = []
        self._places = [
            (number, turn)
            for number, conversation in enumerate(self._conversations)
            for turn in answered(conversation)
            if self._suits(conversation[turn]["content"])
        ]
        if not self._places:
            raise SelfChatBotError(
                f"{data / 'test.jsonl'} has no reply of yours to guess: increase test_fraction in the raw "
                "parameters.json and run selfChatBot_preprocess and selfChatBot_train again"
            )
        self._random.shuffle(self._places)
        played = {(record["conversation"] - 1, record["turn"]) for record in self._records()}
        # Rounds of earlier games come last.
        self._places.sort(key=played.__contains__)
        self._left = iter(self._places)

    def rounds(self) -> Iterator[Round]:
        """One round after another, until there are no replies left. Goes on where an earlier call has stopped."""
        for number, turn in self._left:
            conversation = self._conversations[number]
            context, real = conversation[:turn], conversation[turn]["content"].strip()
            for _ in range(MAX_ATTEMPTS):
                reply = self._player.reply(context)
                if reply and reply != real:
                    break
            else:  # the model says the same or nothing: there is nothing to guess
                continue
            side: Side = self._random.choice(("a", "b"))
            a, b = (real, reply) if side == "a" else (reply, real)
            yield Round(number + 1, turn, context, a, b, side)

    def guess(self, current: Round, side: Side) -> bool:
        """Record a guess and return whether it is right. Raises OSError if it can't be written, but counts it."""
        right = side == current.real
        record = {
            "time": datetime.now().isoformat(timespec="seconds"),
            "checkpoint": self._checkpoint,
            "conversation": current.conversation,
            "turn": current.turn,
            "real": current.real,
            "guess": side,
            "right": right,
        }
        self._right.append(right)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")
        return right

    @staticmethod
    def verdict(current: Round, side: Side) -> str:
        """``Right: A was real.``"""
        return f"{'Right' if side == current.real else 'Wrong'}: {current.real.upper()} was real."

    def score(self) -> Score:
        """The score of this game."""
        return Score(sum(self._right), len(self._right))

    def total_score(self) -> Score:
        """The score of all games with this checkpoint."""
        right = [record["right"] for record in self._records() if record["checkpoint"] == self._checkpoint]
        return Score(sum(right), len(right))

    def _suits(self, text: str) -> bool:
        """Whether a reply is long enough to tell anything, and short enough for the model to write as much."""
        ids = self._player.chat_format.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return len(text.split()) >= MIN_WORDS and len(ids) <= self._player.parameters.max_new_tokens

    def _records(self) -> list[dict[str, Any]]:
        return [record for record in read_jsonl(self._path) if _is_guess(record)]


def _is_guess(record: Any) -> bool:
    kinds: dict[str, type] = {"checkpoint": str, "conversation": int, "turn": int, "right": bool}
    return isinstance(record, dict) and all(isinstance(record.get(key), kind) for key, kind in kinds.items())


__all__ = ["Game", "Round", "Score"]
