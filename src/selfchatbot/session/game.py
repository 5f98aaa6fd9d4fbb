"""Me or model? Replies that I really wrote, in the test conversations, beside the model's; which is which is hidden.

The model never saw these conversations. Somebody who can't tell the two apart is right half of the time.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from selfchatbot.environment import conversations_file
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, answered, read_conversations
from selfchatbot.player import Player

FILE_NAME = "game.jsonl"
Side = Literal["a", "b"]
SHORTEST = 2
"""Words: about less than that nobody can say anything."""
TRIES = 3
CONTEXT_TURNS = 4


@dataclass(frozen=True, slots=True)
class Round:
    """One context and two replies to it."""

    conversation: int
    """Number of its line in test.jsonl, from 1."""
    turn: int
    """Index of the real reply in the conversation's messages."""
    context: ChatMessages
    """Ends with a turn of the others."""
    a: str
    b: str
    real: Side
    """To be shown after the guess."""

    @property
    def shown(self) -> ChatMessages:
        """What is shown of the context: what was said last."""
        return [message for message in self.context[-CONTEXT_TURNS:] if message["role"] != "system"]


@dataclass(frozen=True, slots=True)
class Score:
    """How often the real reply was found."""

    right: int
    guesses: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the share that is right (Wilson 1927), from 0 to 1."""
        return wilson(self.right, self.guesses)

    def __str__(self) -> str:
        if not self.guesses:
            return "no guess"
        low, high = self.interval
        return (
            f"{self.right} of {self.guesses} right: {self.right / self.guesses:.0%}, 95 % confidence interval "
            f"{low:.0%} to {high:.0%}; 50 % is chance"
        )


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) where nothing was counted."""
    if not total:
        return 0.0, 1.0
    share = right / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


class Game:
    """Rounds of one dataset; guesses are appended to ``results``/game.jsonl, without a word of any message.

    ``checkpoint`` is the name that the guesses are kept under. Raises SelfChatBotError where there is nothing to play
    with.
    """

    def __init__(self, player: Player, data: Path, results: Path, checkpoint: str, seed: int | None = None) -> None:
        self._player = player
        self._path = results / FILE_NAME
        self._checkpoint = checkpoint
        self._random = random.Random(seed)
        self._conversations: list[ChatMessages] = list(read_conversations(conversations_file(data, "test")))
        self._rights: list[bool] = []
        self._places = [
            (number, turn)
            for number, conversation in enumerate(self._conversations)
            for turn in answered(conversation)
            if self._playable(conversation[turn]["content"])
        ]
        if not self._places:
            raise SelfChatBotError(f"{data / 'test.jsonl'}: no reply of yours to guess: raise test_fraction")
        self._random.shuffle(self._places)
        played = {(record["conversation"] - 1, record["turn"]) for record in self._records()}
        # What was seen before comes last.
        self._places.sort(key=played.__contains__)

    def rounds(self) -> Iterator[Round]:
        """One round after the other, until there are no replies left."""
        for number, turn in self._places:
            conversation = self._conversations[number]
            context, real = conversation[:turn], conversation[turn]["content"].strip()
            for _ in range(TRIES):
                reply = self._player.reply(context)
                if reply and reply != real:
                    break
            else:  # it said the same thing, or nothing: no question
                continue
            side: Side = self._random.choice(("a", "b"))
            a, b = (real, reply) if side == "a" else (reply, real)
            yield Round(number + 1, turn, context, a, b, side)

    def guess(self, this: Round, side: Side) -> bool:
        """Keep a guess; whether it was right. Raises OSError where it can't be kept, but counts it."""
        right = side == this.real
        record = {
            "time": datetime.now().isoformat(timespec="seconds"),
            "checkpoint": self._checkpoint,
            "conversation": this.conversation,
            "turn": this.turn,
            "real": this.real,
            "guess": side,
            "right": right,
        }
        self._rights.append(right)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")
        return right

    def score(self) -> Score:
        """Of this game."""
        return Score(sum(self._rights), len(self._rights))

    def score_of_all(self) -> Score:
        """Of all games with this checkpoint."""
        rights = [record["right"] for record in self._records() if record["checkpoint"] == self._checkpoint]
        return Score(sum(rights), len(rights))

    def _playable(self, text: str) -> bool:
        """Long enough to tell anything, short enough that the model may say as much."""
        ids = self._player.chat_format.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return len(text.split()) >= SHORTEST and len(ids) <= self._player.parameters.max_new_tokens

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []
        return [record for line in lines if (record := _record(line))]


def _record(line: str) -> dict[str, Any] | None:
    """A guess of an earlier game; None for a line that a killed run left unfinished."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    kinds: dict[str, type] = {"checkpoint": str, "conversation": int, "turn": int, "right": bool}
    well_formed = isinstance(record, dict) and all(isinstance(record.get(key), kind) for key, kind in kinds.items())
    return record if well_formed else None


__all__ = ["Game", "Round", "Score", "wilson"]
