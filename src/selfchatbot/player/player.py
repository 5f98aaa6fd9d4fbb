"""The third stage: a checkpoint that replies. It knows conversations, sampling and stopping, and no terminal.

player = Player(results / "best", read_parameters(results / "parameters.json", GenerationParameters))
print(player.reply([{"role": "user", "content": "hey, how was your day?"}]))
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from selfchatbot.messages import ChatMessages, introduction
from selfchatbot.models import Machine, quiet
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.select import EngineName, load_engine
from selfchatbot.player.reply.repetition import looping
from selfchatbot.player.reply.reranking import Drawn, gains
from selfchatbot.player.reply.truncation import OwnWords

RETRIES = 3
Finish = Literal["stop", "length"]
"""The turn was ended, or it was cut at the longest length."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One possible next turn."""

    text: str
    gain: float
    """Nats by the root of its tokens that the conversation adds to it, see `candidates`; 0 for the only candidate."""
    tokens: int
    finish: Finish


@dataclass(frozen=True, slots=True)
class Piece:
    """What one of the possible next turns says next."""

    candidate: int
    text: str
    """Continues the candidate's former pieces; the last one may be empty."""
    tokens: int
    """Of the candidate up to here."""
    finish: Finish | None = None
    """Said with the last piece."""


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
        """``count`` answers, the one that fits best first: the best of more, if `best_of` says more."""
        drawn = max(count, self.parameters.drawn())
        return [reply.text for reply in self.candidates(messages, drawn)[:count]]

    def candidates(self, messages: ChatMessages, count: int) -> list[Reply]:
        """``count`` possible next turns, the one that fits best first; they share the reading of the prompt.

        Empty ones are tried again: fewer are returned when nothing else comes.
        """
        drawing = self._draw(messages, count, self.parameters, None)
        while True:
            try:
                next(drawing)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]

    def _draw(
        self, messages: ChatMessages, count: int, parameters: GenerationParameters, seed: int | None
    ) -> Generator[Piece, None, list[Reply]]:
        """The same, with a piece that says nothing after each token: a chance to stop."""
        prompt = self.prompt(messages, parameters)
        own_words = OwnWords(self.chat_format.marks, messages, self.speakers)
        found: list[tuple[str, Drawn, Finish]] = []
        for attempt in range(RETRIES):
            drawn = [Drawn([], []) for _ in range(count - len(found))]
            sampling = self._sampling(parameters, len(prompt), attempt, seed)
            stopped: set[int] = set()
            for token in self._engine.generate(prompt, sampling, len(drawn)):
                if token.candidate in stopped:
                    continue
                one = drawn[token.candidate]
                one.log_probabilities.append(token.log_probability)
                if token.id != sampling.end:
                    one.ids.append(token.id)
                if one.ended or looping(one.ids) or own_words(self.chat_format.reply(one.ids), finished=False)[1]:
                    stopped.add(token.candidate)
                yield Piece(0, "", len(one.ids))
                if len(stopped) == len(drawn):
                    break
            for number, one in enumerate(drawn):
                once = one.once()
                if text := _whole(own_words(self.chat_format.reply(once.ids))[0]):
                    found.append((text, once, "stop" if number in stopped else "length"))
            if len(found) == count:
                break
        alone = self.prompt(introduction(messages), parameters)
        ranks = [0.0] * len(found)
        if len(found) > 1 and alone != prompt:
            ranks = gains([one for _, one, _ in found], self.chat_format.end, alone, self._engine.log_probabilities)
        replies = [Reply(text, gain, len(one.ids), how) for (text, one, how), gain in zip(found, ranks, strict=True)]
        return sorted(replies, key=lambda reply: -reply.gain)

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

        Of more candidates, if `best_of` says more, the best are said, each as a whole when all are done. ``parameters``
        and ``seed`` (below 2**32: same seed, same turns) are for this call only. Closing the generator stops the model.
        """
        parameters = parameters or self.parameters
        if parameters.drawn() > 1:
            yield from self._best(messages, count, parameters, seed)
            return
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

    def _best(
        self, messages: ChatMessages, count: int, parameters: GenerationParameters, seed: int | None
    ) -> Generator[Piece, None, None]:
        found = yield from self._draw(messages, parameters.drawn(count), parameters, seed)
        for number in range(count):
            reply = found[number] if number < len(found) else Reply("", 0.0, 0, "stop")
            yield Piece(number, reply.text, reply.tokens, reply.finish)

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
        text = _whole(text)
        taken_back = 0 if text.startswith(self.shown) else text.rfind("\ufffd") + 1
        new = text[max(len(self.shown), taken_back) :]
        if new:
            self.shown = text
        return new


def _whole(text: str) -> str:
    """Without half an emoji at its end."""
    return text.rstrip("\ufffd").rstrip() if text.endswith("\ufffd") else text


__all__ = ["Piece", "Player", "Reply"]
