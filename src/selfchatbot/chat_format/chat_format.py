"""Conversations to tokens, for training and playing alike, and tokens back to a reply.

The model's own chat template is split once, by rendering probe conversations, into the texts before, between and after
turns. One function assembles both training windows and prompts from these parts, so the model sees exactly the same
tokens when it plays as when it was trained, even with templates that treat the last turn differently. Contents are
tokenized separately, so that nothing typed in a chat is mistaken for a special token.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from selfchatbot.chat_format.template import TemplateParts, ensure_template, special_ids, template_parts
from selfchatbot.concurrency import within
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, merged

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from selfchatbot.chat_format.saved import SavedTokenizer

IGNORED = -100
"""The label of tokens that are not trained."""

TOKENIZER_BATCH = 256
"""Conversations that are tokenized in one call."""
TOKENIZER_SECONDS = 20.0
"""In which a text is tokenized, and a second more for each ``CHARACTERS_PER_SECOND``: fifty times what it takes."""
CHARACTERS_PER_SECOND = 20_000
BEGUN_TOKENS = 64
"""Of a turn that goes on: enough to see whether it repeats itself or is somebody else's."""
CONTEXT_FRACTION = 1 / 4
"""Part of a window that repeats the turns before it, if the window continues a conversation."""
KEPT_FRACTION = 0.7
"""Part of the room for a prompt that is filled again when the oldest turns are dropped."""


class Window(NamedTuple):
    """One training example. Both have shape (sequence,); only my words and my end token have labels but ``IGNORED``."""

    input_ids: list[int]
    labels: list[int]
    conversation: int = 0
    """The number of the conversation that it comes from."""


class _Turn(NamedTuple):
    mine: bool
    ids: list[int]
    cut: bool = False


class ChatFormat:
    """How one model reads conversations.

    Sets the plain template on a ``tokenizer`` without one, so that a saved tokenizer always has its format with it.
    ``parts``, if they are known, need no template. Raises SelfChatBotError for a template that can't be split and for a
    model without a token that ends a turn.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase | SavedTokenizer", parts: TemplateParts | None = None
    ) -> None:
        self.tokenizer: Any = tokenizer
        if parts is None:
            ensure_template(self.tokenizer)
            parts = template_parts(self.tokenizer)
        self._parts = parts
        self.end = self._parts.end
        self.special: set[int] = special_ids(tokenizer) | {self.end}
        """Ids of the special tokens, which are never part of a reply."""

    def windows(self, conversations: Iterable[ChatMessages], max_length: int) -> Iterator[Window]:
        """Training windows of at most ``max_length`` tokens, split between turns.

        Each reply of mine is trained exactly once. A conversation that is longer than a window continues in the next
        one, of which a quarter, or more if there is room, repeats the turns before as context. A turn that doesn't fit
        is cut: the others' at the beginning, mine at the end (its end token is then not trained).
        """
        for number, (messages, turns) in enumerate(self._tokenized(conversations)):
            head, opening = self._heads(messages)
            for window in self._windows(head, opening, turns, max_length):
                yield window._replace(conversation=number)

    def prompt(self, messages: ChatMessages, max_length: int) -> list[int]:
        """The token ids before my next turn, at most ``max_length``: turns that don't fit are dropped, oldest first.

        A system message is cut to half of ``max_length``. If the last turn is mine, it goes on; without any turn, I
        open the conversation.
        """
        _, turns = next(self._tokenized([messages]))
        head, opening = self._heads(messages, max_length // 2)
        begun = turns.pop().ids[-(max_length // 2) :] if turns and turns[-1].mine else []
        if not turns:
            return self._first(True, head, opening) + begun
        room = max_length - len(self._parts.user_to_me) - len(begun)
        turns = [*turns[:-1], _Turn(False, turns[-1].ids[-max(room - len(head), 1) :])]
        start = self._start(turns, head, opening, room)
        ids = self._assemble(head, opening, turns[start:], trained=range(0)).input_ids
        return ids + self._parts.user_to_me + begun

    def begun(self, messages: ChatMessages) -> list[int]:
        """The last tokens of a turn of mine that `prompt` ends with; empty if it doesn't."""
        last = messages[-1] if messages else {"role": "user"}
        return self._ids([last["content"]])[0][-BEGUN_TOKENS:] if last["role"] == "assistant" else []

    def _start(self, turns: list[_Turn], head: list[int], opening: list[int] | None, room: int) -> int:
        """The first turn that is kept in a prompt of ``room`` tokens.

        When the conversation outgrows the room, turns are dropped until ``KEPT_FRACTION`` of it is filled. The prompts
        of the following turns then begin with the same tokens, so the player's cache stays valid.
        """
        sums = [0, *accumulate(self._costs(turns))]
        start = 0
        for end, turn in enumerate(turns):
            if turn.mine:
                continue
            used = sums[end] + len(turn.ids)
            if used - sums[start] + len(self._first(turns[start].mine, head, opening)) > room:
                while start < end and (
                    used - sums[start] + len(self._first(turns[start].mine, head, opening)) > room * KEPT_FRACTION
                ):
                    start += 1
        return start

    def turn(self, text: str) -> list[int]:
        """Token ids of a turn of mine after a prompt, with the end token."""
        return self.turns([text])[0]

    def turns(self, texts: list[str]) -> list[list[int]]:
        """`turn` of each text; many at once are faster."""
        return [[*ids, self.end] for ids in self._ids(texts)]

    def reply(self, token_ids: Sequence[int]) -> str:
        """The text of a generated turn, without special tokens and without white space around it."""
        text = self.tokenizer.decode([i for i in token_ids if i not in self.special], skip_special_tokens=True)
        return str(text).strip()

    @property
    def parts(self) -> TemplateParts:
        """What the template puts around contents."""
        return self._parts

    def texts(self) -> dict[str, str | None]:
        """The parts of the template as text, for the templates of other programs; None if it has no such part.

        Keys: ``head`` before a first turn of the others, ``opening`` before a first one of mine, ``user_to_me``,
        ``me_to_user`` (my end token included), ``system``, ``system_to_user``, ``system_to_me``, ``end``.
        """
        return dict(self._parts.texts)

    @property
    def markers(self) -> frozenset[str]:
        """The texts that the template puts around turns, special tokens included, except plain words."""
        special = [str(self.tokenizer.decode([token])) for token in self.special]
        around = self.tokenizer.decode(self._parts.user_to_me) + "\n" + self.tokenizer.decode(self._parts.me_to_user)
        for token in special:
            around = around.replace(token, "\n")
        texts = {*(token.strip() for token in special), *(line.strip() for line in around.split("\n"))}
        return frozenset(text for text in texts if text and not text.isalnum())

    def _tokenized(self, conversations: Iterable[ChatMessages]) -> Iterator[tuple[ChatMessages, list[_Turn]]]:
        """Each conversation with its turns, tokenized in batches, which is much faster."""
        batch: list[ChatMessages] = []
        for conversation in conversations:
            batch.append(merged(conversation))
            if len(batch) == TOKENIZER_BATCH:
                yield from self._tokenize(batch)
                batch = []
        yield from self._tokenize(batch)

    def _tokenize(self, batch: list[ChatMessages]) -> Iterator[tuple[ChatMessages, list[_Turn]]]:
        texts = [message["content"] for messages in batch for message in messages if message["role"] != "system"]
        ids = iter(self._ids(texts))
        for messages in batch:
            turns = [_Turn(m["role"] == "assistant", next(ids)) for m in messages if m["role"] != "system"]
            if not messages or self._parts.system is not None or messages[0]["role"] != "system":
                yield messages, turns
            else:  # the template accepts no system message: it goes before the first turn
                first = _Turn(False, self._ids([messages[0]["content"] + "\n\n"])[0])
                if turns and not turns[0].mine:
                    turns[0] = _Turn(False, first.ids + turns[0].ids)
                else:
                    turns = [first, *turns]
                yield messages[1:], turns

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of contents. ``<|im_end|>`` and the like, typed in a chat, are ordinary characters."""
        if not texts:
            return []
        limit = TOKENIZER_SECONDS + sum(map(len, texts)) / CHARACTERS_PER_SECOND
        try:
            return within(limit, lambda: self._tokens(texts))
        except TimeoutError:
            # The regular expression of a pre-tokenizer can need exponential time.
            raise SelfChatBotError(
                f"the tokenizer of this model has not read a text within {limit:.0f} seconds: choose another model"
            ) from None
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # Rust's is no Exception
            raise SelfChatBotError("the tokenizer of this model can't read a text: choose another model") from error

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        if self.tokenizer.is_fast:
            # The same result as the call below in less than half the time: only ids are computed.
            backend = self.tokenizer.backend_tokenizer
            backend.encode_special_tokens = True
            backend.no_padding()
            backend.no_truncation()
            return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]
        encoded = self.tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def _heads(self, messages: ChatMessages, system_tokens: int | None = None) -> tuple[list[int], list[int] | None]:
        """What comes before a first turn of the others, and before a first turn of mine.

        A system message is cut to ``system_tokens``.
        """
        parts = self._parts
        if not messages or messages[0]["role"] != "system" or parts.system is None:
            return parts.head, parts.opening
        system = parts.system + self._ids([messages[0]["content"]])[0][:system_tokens]
        return system + parts.system_to_user, None if parts.system_to_me is None else system + parts.system_to_me

    def _first(self, mine: bool, head: list[int], opening: list[int] | None) -> list[int]:
        if not mine:
            return head
        # A template that requires the others to begin gets an empty turn of theirs.
        return opening if opening is not None else head + self._parts.user_to_me

    def _costs(self, turns: list[_Turn]) -> list[int]:
        """Tokens of each turn, with what the template puts after it."""
        around = {True: 1 + len(self._parts.me_to_user), False: len(self._parts.user_to_me)}
        return [len(turn.ids) + around[turn.mine] for turn in turns]

    def _windows(
        self, head: list[int], opening: list[int] | None, turns: list[_Turn], max_length: int
    ) -> Iterator[Window]:
        room = max_length - max(len(self._first(True, head, opening)), len(head))
        if room < 8:
            raise SelfChatBotError(f"max_length {max_length} leaves no room beside the chat template: increase it")
        turns = self._cut(turns, room)
        costs = self._costs(turns)
        sums = [0, *accumulate(costs)]
        reply = next((index for index, turn in enumerate(turns) if turn.mine), len(turns))
        while reply < len(turns):
            end = reply + 1
            start = reply
            limit = min(int(room * CONTEXT_FRACTION), room - costs[reply])
            while start > 0 and (start == reply or sums[reply] - sums[start - 1] <= limit):
                start -= 1
            while end < len(turns) and sums[end + 1] - sums[start] <= room:
                end += 1
            if not turns[end - 1].mine:
                end -= 1
            while start > 0 and sums[end] - sums[start - 1] <= room:
                start -= 1
            yield self._assemble(head, opening, turns[start:end], trained=range(reply - start, end - start))
            reply = next((index for index in range(end, len(turns)) if turns[index].mine), len(turns))

    def _cut(self, turns: list[_Turn], room: int) -> list[_Turn]:
        """The turns, cut so that each reply fits into one window together with the turn before it."""
        costs = self._costs(turns)
        if max(costs, default=0) <= room // 2:
            return turns  # any two fit, as nearly always
        cut: list[_Turn] = []
        for index, turn in enumerate(turns):
            if turn.mine:
                before = len(cut[-1].ids) + len(self._parts.user_to_me) if cut else 0
                most = max(room - before - 1 - len(self._parts.me_to_user), 1)
                cut.append(_Turn(True, turn.ids[:most], cut=True) if len(turn.ids) > most else turn)
            else:
                reply = min(costs[index + 1], room // 2) if index + 1 < len(turns) else 0
                most = max(room - reply - len(self._parts.user_to_me), 1)
                cut.append(_Turn(False, turn.ids[-most:]) if len(turn.ids) > most else turn)
        return cut

    def _assemble(self, head: list[int], opening: list[int] | None, turns: list[_Turn], trained: range) -> Window:
        """The one place where template parts and contents become a sequence."""
        ids = list(self._first(turns[0].mine, head, opening))
        labels = [IGNORED] * len(ids)
        for index, turn in enumerate(turns):
            last = index == len(turns) - 1
            if turn.mine:
                words = [*turn.ids, self.end]
                after = [] if last else self._parts.me_to_user
                labels += words if index in trained else [IGNORED] * len(words)
                if turn.cut:
                    labels[-1] = IGNORED
            else:
                words = turn.ids
                after = [] if last else self._parts.user_to_me
                labels += [IGNORED] * len(words)
            ids += words + after
            labels += [IGNORED] * len(after)
        return Window(ids, labels)
