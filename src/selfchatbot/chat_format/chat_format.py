"""Conversations to tokens, for training and playing alike, and tokens back to a reply.

The model's own chat template is taken apart once, by rendering a probe conversation, into the texts that stand before,
between and after turns. Training windows and prompts are then put together from these pieces by one function, so that
what the model sees when it plays is exactly what it saw when it was trained, also with templates that treat the last
turn differently. Contents are tokenized on their own: words are never mistaken for special tokens.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from selfchatbot.chat_format.template import ensure_template, take_apart
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, merged

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of tokens that are not trained."""

CHUNK = 256
CONTEXT_SHARE = 4
"""One part in so many of a window that continues a conversation repeats what came before."""
KEPT = 0.7
"""Share of the room for a prompt that is kept when the oldest turns are dropped."""


class Window(NamedTuple):
    """One training example: both of shape (sequence,); labels are ``IGNORED`` but on my words and my end token."""

    input_ids: list[int]
    labels: list[int]
    conversation: int = 0
    """Its number among those that the windows were made of."""


class _Turn(NamedTuple):
    mine: bool
    ids: list[int]
    cut: bool = False


class ChatFormat:
    """How one model sees conversations.

    Gives ``tokenizer`` the plain template when it has none, so that a saved tokenizer always carries its format.
    Raises SelfChatBotError for a template that can't be taken apart and a model without any end token.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids)
        ensure_template(tokenizer)
        self._pieces = take_apart(tokenizer)
        self.end = self._pieces.end

    def windows(self, conversations: Iterable[ChatMessages], max_length: int) -> Iterator[Window]:
        """Training windows of at most ``max_length`` tokens, cut between turns.

        Every reply of mine is trained exactly once. A conversation that is longer than a window goes on in the next
        one, with a quarter of it for the turns before as context, more where there is room. A turn that does not
        fit is cut: the others' from its beginning, mine at its end (and then its end token is not trained).
        """
        for number, (messages, turns) in enumerate(self._tokenized(conversations)):
            head, opening = self._heads(messages)
            for window in self._windows(head, opening, turns, max_length):
                yield window._replace(conversation=number)

    def prompt(self, messages: ChatMessages, max_length: int) -> list[int]:
        """Token ids after which my next turn begins, at most ``max_length`` of them: the oldest turns are left out.

        A system message is cut at half of it.

        ``messages`` ends with a turn of the others, or is empty: then I open the conversation.
        """
        _, turns = next(self._tokenized([messages]))
        head, opening = self._heads(messages, max_length // 2)
        if turns and turns[-1].mine:
            raise ValueError("the last turn is mine: there is nothing to reply to")
        if not turns:
            return self._first(True, head, opening)
        room = max_length - len(self._pieces.user_to_me)
        turns = [*turns[:-1], _Turn(False, turns[-1].ids[-max(room - len(head), 1) :])]
        start = self._start(turns, head, opening, room)
        return self._assemble(head, opening, turns[start:], trained=range(0)).input_ids + self._pieces.user_to_me

    def _start(self, turns: list[_Turn], head: list[int], opening: list[int] | None, room: int) -> int:
        """The first turn that is kept in a prompt of ``room`` tokens.

        When the conversation outgrows the room, turns are dropped down to ``KEPT`` of it, as they were at that turn: so
        the prompts of a session begin alike for many turns, and what a player has read of them stays read.
        """
        sums = [0, *accumulate(self._costs(turns))]
        start = 0
        for end, turn in enumerate(turns):
            if turn.mine:
                continue
            used = sums[end] + len(turn.ids)
            if used - sums[start] + len(self._first(turns[start].mine, head, opening)) > room:
                while start < end and (
                    used - sums[start] + len(self._first(turns[start].mine, head, opening)) > room * KEPT
                ):
                    start += 1
        return start

    def turn(self, text: str) -> list[int]:
        """Token ids of a turn of mine, which follow a prompt, its end included."""
        return [*self._ids([text])[0], self.end]

    def reply(self, token_ids: Sequence[int]) -> str:
        """The text of a generated turn, without special tokens and surrounding white space."""
        text = self.tokenizer.decode([i for i in token_ids if i not in self._special], skip_special_tokens=True)
        return str(text).strip()

    @property
    def special(self) -> set[int]:
        """Ids of the special tokens, which never stand inside a reply."""
        return self._special

    def texts(self) -> dict[str, str | None]:
        """What stands around contents, as text, for the templates of other runners; None where a template has nothing.

        Keys: ``head`` before a first turn of the others, ``opening`` before a first one of mine, ``user_to_me``,
        ``me_to_user`` (my end token included), ``system``, ``system_to_user``, ``system_to_me``, ``end``.
        """
        pieces = self._pieces
        ids = {
            "head": pieces.head,
            "opening": pieces.opening,
            "user_to_me": pieces.user_to_me,
            "me_to_user": [self.end, *pieces.me_to_user],
            "system": pieces.system,
            "system_to_user": pieces.system_to_user,
            "system_to_me": pieces.system_to_me,
            "end": [self.end],
        }
        return {
            name: None if tokens is None else str(self.tokenizer.decode(tokens, clean_up_tokenization_spaces=False))
            for name, tokens in ids.items()
        }

    @property
    def marks(self) -> frozenset[str]:
        """Texts that the template puts around turns: special tokens and what is written there, but for plain words."""
        special = [str(self.tokenizer.decode([token])) for token in self._special]
        around = self.tokenizer.decode(self._pieces.user_to_me) + "\n" + self.tokenizer.decode(self._pieces.me_to_user)
        for token in special:
            around = around.replace(token, "\n")
        texts = {*(token.strip() for token in special), *(line.strip() for line in around.split("\n"))}
        return frozenset(text for text in texts if text and not text.isalnum())

    def _tokenized(self, conversations: Iterable[ChatMessages]) -> Iterator[tuple[ChatMessages, list[_Turn]]]:
        """Tokenize the contents of many conversations at once, which is what fast tokenizers are fast at."""
        batch: list[ChatMessages] = []
        for conversation in conversations:
            batch.append(merged(conversation))
            if len(batch) == CHUNK:
                yield from self._tokenize(batch)
                batch = []
        yield from self._tokenize(batch)

    def _tokenize(self, batch: list[ChatMessages]) -> Iterator[tuple[ChatMessages, list[_Turn]]]:
        texts = [message["content"] for messages in batch for message in messages if message["role"] != "system"]
        ids = iter(self._ids(texts))
        for messages in batch:
            turns = [_Turn(m["role"] == "assistant", next(ids)) for m in messages if m["role"] != "system"]
            if not turns or self._pieces.system is not None or messages[0]["role"] != "system":
                yield messages, turns
            else:  # no place for it in the template: it stands before the first turn
                first = _Turn(False, self._ids([messages[0]["content"] + "\n\n"])[0])
                rest = turns if turns[0].mine else [_Turn(False, first.ids + turns[0].ids), *turns[1:]]
                yield messages[1:], [first, *rest] if turns[0].mine else rest

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of contents; ``<|im_end|>`` and its like, typed by somebody, are ordinary characters."""
        if not texts:
            return []
        if self.tokenizer.is_fast:
            # The same as the call below, for less than half of its time: nothing but the ids is made.
            backend = self.tokenizer.backend_tokenizer
            backend.encode_special_tokens = True
            backend.no_padding()
            backend.no_truncation()
            return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]
        encoded = self.tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def _heads(self, messages: ChatMessages, most: int | None = None) -> tuple[list[int], list[int] | None]:
        """What stands before a first turn of the others, and before a first turn of mine.

        ``most``: tokens of a system message.
        """
        pieces = self._pieces
        if not messages or messages[0]["role"] != "system" or pieces.system is None:
            return pieces.head, pieces.opening
        system = pieces.system + self._ids([messages[0]["content"]])[0][:most]
        return system + pieces.system_to_user, None if pieces.system_to_me is None else system + pieces.system_to_me

    def _first(self, mine: bool, head: list[int], opening: list[int] | None) -> list[int]:
        if not mine:
            return head
        # Templates that want the others to begin see an empty turn of theirs.
        return opening if opening is not None else head + self._pieces.user_to_me

    def _costs(self, turns: list[_Turn]) -> list[int]:
        """Tokens that each turn needs, with what follows it before the next."""
        around = {True: 1 + len(self._pieces.me_to_user), False: len(self._pieces.user_to_me)}
        return [len(turn.ids) + around[turn.mine] for turn in turns]

    def _windows(
        self, head: list[int], opening: list[int] | None, turns: list[_Turn], max_length: int
    ) -> Iterator[Window]:
        room = max_length - max(len(self._first(True, head, opening)), len(head))
        if room < 8:
            raise SelfChatBotError(f"max_length {max_length} leaves no room beside the chat template: raise it")
        turns = self._cut(turns, room)
        costs = self._costs(turns)
        sums = [0, *accumulate(costs)]
        reply = next((index for index, turn in enumerate(turns) if turn.mine), len(turns))
        while reply < len(turns):
            end = reply + 1
            start = reply
            limit = min(room // CONTEXT_SHARE, room - costs[reply])
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
        """Cut turns so that each reply and the turn before it fit into one window."""
        costs = self._costs(turns)
        if max(costs, default=0) <= room // 2:
            return turns  # as nearly always: any two fit
        cut: list[_Turn] = []
        for index, turn in enumerate(turns):
            if turn.mine:
                before = len(cut[-1].ids) + len(self._pieces.user_to_me) if cut else 0
                most = max(room - before - 1 - len(self._pieces.me_to_user), 1)
                cut.append(_Turn(True, turn.ids[:most], cut=True) if len(turn.ids) > most else turn)
            else:
                reply = min(costs[index + 1], room // 2) if index + 1 < len(turns) else 0
                most = max(room - reply - len(self._pieces.user_to_me), 1)
                cut.append(_Turn(False, turn.ids[-most:]) if len(turn.ids) > most else turn)
        return cut

    def _assemble(self, head: list[int], opening: list[int] | None, turns: list[_Turn], trained: range) -> Window:
        """The one place where pieces and contents become a sequence."""
        ids = list(self._first(turns[0].mine, head, opening))
        labels = [IGNORED] * len(ids)
        for index, turn in enumerate(turns):
            last = index == len(turns) - 1
            if turn.mine:
                words = [*turn.ids, self.end]
                after = [] if last else self._pieces.me_to_user
                labels += words if index in trained else [IGNORED] * len(words)
                if turn.cut:
                    labels[-1] = IGNORED
            else:
                words = turn.ids
                after = [] if last else self._pieces.user_to_me
                labels += [IGNORED] * len(words)
            ids += words + after
            labels += [IGNORED] * len(after)
        return Window(ids, labels)
