"""A checkpoint that replies. It knows conversations, sampling and where a reply ends, but nothing of a terminal.

player = Player(results / "best", read_parameters(results / "parameters.json", GenerationParameters))
print(player.reply([{"role": "user", "content": "hey, how was your day?"}]))
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from selfchatbot.messages import ChatMessages, introduction, newest
from selfchatbot.models import Machine, quiet
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.select import load_engine
from selfchatbot.player.reply.draft import Draft, FinishReason, ReplyChunk, complete_characters
from selfchatbot.player.reply.repetition import repeats_itself
from selfchatbot.player.reply.reranking import pmi_scores
from selfchatbot.player.reply.truncation import Truncator

MAX_ATTEMPTS = 3
"""Generations of an empty reply before it stays empty."""
CHARACTERS_PER_TOKEN = 32
"""More than tokens have on average, in any language: what is longer does not fit into the window anyway."""
SEED_STEP = 1_000_003
"""Between the seeds of two replies, so that they differ but are the same in every run."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One candidate for my next turn."""

    text: str
    pmi: float
    """How well it fits the conversation, see `reranking.pmi_scores`; 0 for the only candidate."""
    tokens: int
    finish_reason: FinishReason


class Player:
    """Loads a checkpoint folder (adapters or a whole model) and writes what I would say next.

    ``engine`` names what runs the model: "transformers", "llama.cpp" (needs the optional package `xllamacpp`, writes a
    GGUF file beside the checkpoint) or "auto", the fastest one that works. Raises SelfChatBotError when the checkpoint
    is missing or damaged.

    ``parameters`` and ``contact_names`` may be changed at any time.
    """

    def __init__(
        self,
        checkpoint: Path,
        parameters: GenerationParameters | None = None,
        machine: Machine | None = None,
        engine: str = "transformers",
    ) -> None:
        quiet()
        loaded = load_engine(checkpoint, parameters, machine, engine)
        self.parameters = loaded.parameters
        self.chat_format = loaded.chat_format
        self.contact_names: frozenset[str] = frozenset()
        """Names of other people. A reply is cut before a line that starts with one of them."""
        self._engine = loaded.engine
        self._calls = 0

    def reply(self, messages: ChatMessages) -> str:
        """My next turn after ``messages``, or the rest of it if they end with one of mine."""
        return "".join(self.stream(messages))

    def replies(self, messages: ChatMessages, count: int) -> list[str]:
        """``count`` replies, the best first. With `best_of` above ``count``, the best of that many candidates."""
        candidates = max(count, self.parameters.drawn())
        return [reply.text for reply in self.candidates(messages, candidates)[:count]]

    def candidates(self, messages: ChatMessages, count: int) -> list[Reply]:
        """``count`` candidates for my next turn, the one that fits the conversation best first.

        The prompt is read once for all. Empty candidates are generated again; if they stay empty, fewer are returned.
        """
        generation = self._candidates(messages, count, self.parameters, None)
        while True:
            try:
                next(generation)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

    def stream(self, messages: ChatMessages) -> Generator[str, None, None]:
        """The same text as `reply`, in parts as it is generated. Close the generator to stop the model."""
        for chunk in self.chunks(messages):
            if chunk.text:
                yield chunk.text

    def chunks(
        self,
        messages: ChatMessages,
        count: int = 1,
        parameters: GenerationParameters | None = None,
        seed: int | None = None,
    ) -> Generator[ReplyChunk, None, None]:
        """``count`` replies, generated as one batch, in parts as they are generated; a chunk after each token.

        With `best_of` above 1, there are more candidates, and the best come as a whole after all are complete. A chunk
        without text is then only a chance to stop. ``parameters`` and ``seed`` (below 2**32: the same seed gives the
        same replies) hold for this call only. Close the generator to stop the model.
        """
        parameters = parameters or self.parameters
        if parameters.drawn() > 1:
            yield from self._best_candidates(messages, count, parameters, seed)
            return
        drafts = [Draft(number) for number in range(count)]
        yield from self._generate(drafts, messages, parameters, seed, log_probabilities=False)
        for draft in drafts:
            if not (draft.ended and draft.shown):
                yield ReplyChunk(draft.number, "", len(draft.tokens.ids), draft.finish_reason)

    def prompt(self, messages: ChatMessages, parameters: GenerationParameters | None = None) -> list[int]:
        """The token ids that the model reads before it replies. Turns that don't fit are dropped, oldest first."""
        reply_tokens = (parameters or self.parameters).max_new_tokens
        length = max(self._engine.window - reply_tokens, self._engine.window // 2)
        return self.chat_format.prompt(self._newest(messages), length)

    def _newest(self, messages: ChatMessages) -> ChatMessages:
        """The part of a conversation that may fit into the window, so that reading it takes no longer than that."""
        kept = newest(messages, self._engine.window * CHARACTERS_PER_TOKEN)
        if kept and kept[-1]["role"] == "assistant":  # it goes on: words begin with a space in most vocabularies
            kept[-1] = {**kept[-1], "content": kept[-1]["content"].rstrip()}
        return kept

    def _best_candidates(
        self, messages: ChatMessages, count: int, parameters: GenerationParameters, seed: int | None
    ) -> Generator[ReplyChunk, None, None]:
        found = yield from self._candidates(messages, parameters.drawn(count), parameters, seed)
        for number in range(count):
            reply = found[number] if number < len(found) else Reply("", 0.0, 0, "stop")
            yield ReplyChunk(number, reply.text, reply.tokens, reply.finish_reason)

    def _candidates(
        self, messages: ChatMessages, count: int, parameters: GenerationParameters, seed: int | None
    ) -> Generator[ReplyChunk, None, list[Reply]]:
        """Returns what `candidates` does; yields a chunk without text after each token."""
        drafts = [Draft(number) for number in range(count)]
        for chunk in self._generate(drafts, messages, parameters, seed, log_probabilities=True):
            yield ReplyChunk(0, "", chunk.tokens)
        text_of = self._text_of(messages)
        found = [(draft.tokens.without_loop(), draft.finish_reason) for draft in drafts if draft.shown]
        scores = [0.0] * len(found)
        bare = _bare(messages)
        if len(found) > 1 and bare != messages:
            candidates, bare_prompt = [candidate for candidate, _ in found], self.prompt(bare, parameters)
            scores = pmi_scores(candidates, self.chat_format.end, bare_prompt, self._engine.log_probabilities)
        replies = [
            Reply(complete_characters(text_of(one.ids)[0]), score, len(one.ids), reason)
            for (one, reason), score in zip(found, scores, strict=True)
        ]
        return sorted(replies, key=lambda reply: -reply.pmi)

    def _generate(
        self,
        drafts: list[Draft],
        messages: ChatMessages,
        parameters: GenerationParameters,
        seed: int | None,
        log_probabilities: bool,
    ) -> Generator[ReplyChunk, None, None]:
        """Fill ``drafts`` as one batch; those that stay empty are generated again. Yields a chunk after each token."""
        prompt = self.prompt(messages, parameters)
        text_of = self._text_of(messages)
        for attempt in range(MAX_ATTEMPTS):
            missing = [draft for draft in drafts if not draft.shown]
            for draft in missing:
                draft.restart()
            sampling = self._sampling(parameters, len(prompt), attempt, seed)
            sampling = replace(sampling, log_probabilities=log_probabilities)
            if parameters.guidance and (bare := _bare(messages)) != messages:
                sampling = replace(sampling, bare_prompt=tuple(self.prompt(bare, parameters)))
            for token in self._engine.generate(prompt, sampling, len(missing)):
                draft = missing[token.candidate]
                if draft.ended:
                    continue
                draft.tokens.add(token.id, token.log_probability, sampling.end)
                draft.ended = draft.tokens.ended or repeats_itself(draft.tokens.ids)
                text, cut = text_of(draft.tokens.ids, draft.ended)
                draft.ended |= cut
                yield draft.show(text)
                if all(draft.ended for draft in missing):
                    break
            for draft in missing:  # at the maximum length, nothing has to be held back any more
                if not draft.ended:
                    yield draft.show(text_of(draft.tokens.ids)[0])
            if all(draft.shown for draft in drafts):
                return

    def _text_of(self, messages: ChatMessages) -> Callable[..., tuple[str, bool]]:
        """Gives the text of new tokens, and whether the reply ends there; see `Truncator`."""
        spaced = bool(messages) and messages[-1]["content"][-1:].isspace()
        messages = self._newest(messages)
        truncate = Truncator(self.chat_format.markers, messages, self.contact_names)
        begun = self.chat_format.begun(messages)
        before = len(self.chat_format.reply(begun))

        def text_of(ids: list[int], finished: bool = True) -> tuple[str, bool]:
            text, ended = truncate(self.chat_format.reply([*begun, *ids]), finished)
            return text[before:].lstrip() if begun and spaced else text[before:], ended

        return text_of

    def _sampling(
        self, parameters: GenerationParameters, prompt_length: int, attempt: int, seed: int | None = None
    ) -> Sampling:
        """How tokens are chosen. After an empty reply, the next attempt may not end at once."""
        if seed is not None:
            seed = (seed + attempt) % 2**32
        elif parameters.seed is not None:
            seed = (parameters.seed + self._calls * SEED_STEP) % 2**32
            self._calls += 1
        room = self._engine.window - prompt_length
        end, special = self.chat_format.end, self.chat_format.special
        return Sampling.of(parameters, end, special, room, seed, may_be_empty=attempt == 0)


def _bare(messages: ChatMessages) -> ChatMessages:
    """What is left without the conversation: the system message, and a turn of mine that goes on."""
    begun = messages[-1:] if messages and messages[-1]["role"] == "assistant" else []
    return [*introduction(messages), *begun]


__all__ = ["Player", "Reply", "ReplyChunk"]
