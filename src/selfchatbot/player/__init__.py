"""The third stage: a checkpoint that replies. It knows conversations, sampling and stopping, and no terminal.

player = Player(results / "best", read_parameters(results / "parameters.json", GenerationParameters))
print(player.reply([{"role": "user", "content": "hey, how was your day?"}]))
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from selfchatbot.messages import ChatMessages
from selfchatbot.models import Machine, quiet
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.engine import Sampling
from selfchatbot.player.loading import EngineName, load_engine
from selfchatbot.player.own_words import OwnWords

RETRIES = 3
LOOP_REPEATS = 5
"""A piece of a reply that comes so often in a row is a loop."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One possible next turn."""

    text: str
    mean_log_probability: float
    """Of its own tokens, its end included; natural logarithm."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one of the possible next turns says next."""

    candidate: int
    text: str
    """Continues the candidate's former pieces; the last one may be empty."""
    tokens: int
    """Of the candidate up to here."""
    finish: Literal["stop", "length"] | None = None
    """Said with the last piece: the turn was ended, or it was cut at the longest length."""


class Player:
    """Loads a checkpoint folder (adapters or a whole model) and says what I would say next.

    ``parameters`` may be replaced at any time, and so may ``speakers``: names of others, for whom no reply may speak.
    ``engine``: what computes; "llama.cpp" needs the optional package `xllamacpp` and writes a GGUF file beside the
    checkpoint, "auto" takes it where it can. Raises SelfChatBotError when the checkpoint is not there or broken.
    """

    def __init__(
        self,
        checkpoint: Path,
        parameters: GenerationParameters | None = None,
        machine: Machine | None = None,
        engine: EngineName = "transformers",
    ) -> None:
        quiet()
        loaded = load_engine(checkpoint, parameters, machine, engine)
        self.parameters = loaded.parameters
        self.chat_format = loaded.chat_format
        self._engine = loaded.engine
        self.speakers: frozenset[str] = frozenset()
        self._calls = 0

    def reply(self, messages: ChatMessages) -> str:
        """My next turn after ``messages``, which ends with a turn of the others (or is empty)."""
        return "".join(self.stream(messages))

    def replies(self, messages: ChatMessages, count: int) -> list[str]:
        """``count`` answers, in no order."""
        return [reply.text for reply in self.candidates(messages, count)]

    def candidates(self, messages: ChatMessages, count: int) -> list[Reply]:
        """``count`` possible next turns; they share the reading of the prompt. Empty ones are tried again."""
        prompt = self.prompt(messages)
        own_words = OwnWords(self.chat_format.marks, messages, self.speakers)
        found: list[Reply] = []
        for attempt in range(RETRIES):
            missing = count - len(found)
            ids: list[list[int]] = [[] for _ in range(missing)]
            log_probabilities: list[list[float]] = [[] for _ in range(missing)]
            sampling = self._sampling(self.parameters, len(prompt), attempt)
            stopped: set[int] = set()
            for token in self._engine.generate(prompt, sampling, missing):
                if token.candidate in stopped:
                    continue
                log_probabilities[token.candidate].append(token.log_probability)
                if token.id == sampling.end:
                    stopped.add(token.candidate)
                else:
                    ids[token.candidate].append(token.id)
                    so_far = ids[token.candidate]
                    if looping(so_far) or own_words(self.chat_format.reply(so_far), finished=False)[1]:
                        stopped.add(token.candidate)
                if len(stopped) == missing:
                    break
            for tokens, own in zip(ids, log_probabilities, strict=True):
                once = without_loop(tokens)
                if len(once) < len(tokens):  # what is said over and over is ever likelier
                    own = own[: len(once)]  # noqa: PLW2901
                if text := own_words(self.chat_format.reply(once))[0]:
                    found.append(Reply(text, sum(own) / len(own)))
            if len(found) == count:
                break
        return found

    def stream(self, messages: ChatMessages) -> Generator[str, None, None]:
        """The same as `reply`, piece by piece as it is made; closing the generator stops the model."""
        for piece in self.pieces(messages):
            if piece.text:
                yield piece.text

    def pieces(
        self,
        messages: ChatMessages,
        count: int = 1,
        parameters: GenerationParameters | None = None,
        seed: int | None = None,
    ) -> Generator[Piece, None, None]:
        """``count`` possible next turns, piece by piece as they are made, as one batch; empty ones are tried again.

        ``parameters`` and ``seed`` (below 2**32: same seed, same turns) are for this call only. Closing the generator
        stops the model.
        """
        parameters = parameters or self.parameters
        prompt = self.prompt(messages, parameters)
        drafts = [_Draft(number) for number in range(count)]
        own_words = OwnWords(self.chat_format.marks, messages, self.speakers)
        for attempt in range(RETRIES):
            missing = [draft for draft in drafts if not draft.shown]
            for draft in missing:
                draft.ids, draft.ended = [], False
            sampling = replace(self._sampling(parameters, len(prompt), attempt, seed), log_probabilities=False)
            for token in self._engine.generate(prompt, sampling, len(missing)):
                draft = missing[token.candidate]
                if draft.ended:
                    continue
                if token.id != sampling.end:
                    draft.ids.append(token.id)
                draft.ended = token.id == sampling.end or looping(draft.ids)
                text, cut = own_words(self.chat_format.reply(draft.ids), draft.ended)
                draft.ended |= cut
                new = draft.show(text)
                if new or (draft.ended and draft.shown):
                    yield Piece(draft.number, new, len(draft.ids), "stop" if draft.ended else None)
                if all(draft.ended for draft in missing):
                    break
            for draft in missing:  # cut at the longest length: what was held back is out
                if not draft.ended and (new := draft.show(own_words(self.chat_format.reply(draft.ids))[0])):
                    yield Piece(draft.number, new, len(draft.ids))
            if all(draft.shown for draft in drafts):
                break
        for draft in drafts:
            if not (draft.ended and draft.shown):
                yield Piece(draft.number, "", len(draft.ids), "stop" if draft.ended else "length")

    def prompt(self, messages: ChatMessages, parameters: GenerationParameters | None = None) -> list[int]:
        """The token ids that the model reads before it replies: the oldest turns are left out if they don't fit."""
        longest = (parameters or self.parameters).max_new_tokens
        return self.chat_format.prompt(messages, max(self._engine.window - longest, self._engine.window // 2))

    def _sampling(
        self, parameters: GenerationParameters, prompt_length: int, attempt: int, seed: int | None = None
    ) -> Sampling:
        """How tokens are chosen; a retry after an empty reply forbids to end at once."""
        if seed is not None:
            seed = (seed + attempt) % 2**32
        elif parameters.seed is not None:  # another reply each time, but the same ones in every run
            seed = (parameters.seed + self._calls * 1_000_003) % 2**32
            self._calls += 1
        chat_format = self.chat_format
        longest = self._engine.window - prompt_length
        return Sampling.of(parameters, chat_format.end, chat_format.special, longest, seed, may_be_empty=attempt == 0)


@dataclass(slots=True)
class _Draft:
    """A turn in the making."""

    number: int
    ids: list[int] = field(default_factory=list)
    shown: str = ""
    ended: bool = False

    def show(self, text: str) -> str:
        """What is new in ``text``. Half an emoji is not shown until its last byte is there.

        A tokenizer with tokens for bytes takes whole emoji back when bytes follow that are none: what is shown stays.
        """
        if text.endswith("\ufffd"):
            text = text.rstrip("\ufffd").rstrip()
        taken_back = 0 if text.startswith(self.shown) else text.rfind("\ufffd") + 1
        new = text[max(len(self.shown), taken_back) :]
        if new:
            self.shown = text
        return new


def looping(ids: list[int]) -> bool:
    """Whether the reply repeats its last piece, of up to 32 tokens, over and over."""
    return _loop(ids) is not None


def without_loop(ids: list[int]) -> list[int]:
    """The reply with its loop, if it ends in one, said once."""
    size = _loop(ids)
    return ids if size is None else ids[: len(ids) - size * (LOOP_REPEATS - 1)]


def _loop(ids: list[int]) -> int | None:
    for size in range(1, min(32, len(ids) // LOOP_REPEATS) + 1):
        # A single token may well come often: "hahahaha", "!!!!!!".
        repeats = LOOP_REPEATS if size > 2 else 4 * LOOP_REPEATS
        if len(ids) >= size * repeats and ids[-size * repeats :] == ids[-size:] * repeats:
            return size
    return None


__all__ = ["Piece", "Player", "Reply"]
