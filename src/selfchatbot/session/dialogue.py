"""A running conversation with the model, for any screen: say, answer, undo, correct, rate."""

from collections.abc import Callable, Generator
from contextlib import closing

from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, encodable, merged
from selfchatbot.player import Player
from selfchatbot.player.reply.messages import split_messages

OnPreference = Callable[[ChatMessages, str, list[str]], None]
"""Receives the conversation, the better reply to it and the worse ones."""
MIN_OTHERS = 3
"""Alternatives to a reply that are offered, if the model has that many."""


class Dialogue:
    """Turns of the person at the keyboard (``user``) and of the model (``assistant``), optionally a system message.

    A reply is the best of `best_of` or of `num_return_sequences`, whichever is larger, and then comes as a whole. If
    both are 1, or with temperature 0, where all would be the same, it comes while it is generated.
    """

    def __init__(self, player: Callable[[], Player], on_preference: OnPreference) -> None:
        """``player`` returns the model, and waits if it is still being loaded."""
        self._player = player
        self.messages: ChatMessages = []
        self.others: list[str] = []
        """Alternatives to the last reply, the best first."""
        self._on_preference = on_preference
        self._shown = ""
        self._worse: list[str] = []
        """Replies rated as bad, until a better one is accepted."""

    @property
    def player(self) -> Player:
        """The model."""
        return self._player()

    @property
    def last_reply(self) -> str | None:
        """The model's last reply, if nothing was said since."""
        last = self.messages[-1] if self.messages else None
        return last["content"] if last and last["role"] == "assistant" else None

    def say(self, text: str) -> None:
        """Send a message to the model. Several without a reply between them form one turn."""
        before, reply = self.messages[:-1], self.last_reply
        worse, self._worse = self._worse, []
        self.messages = merged([*self.messages, {"role": "user", "content": encodable(text)}])
        self.others = []
        if worse and reply is not None and reply not in worse:
            self._on_preference(before, reply, worse)

    def answer(self) -> Generator[str, None, None]:
        """The messages of the reply, each as soon as it is complete.

        Close the generator to stop. Earlier messages are kept; the last one only if `mark_shown` was called for it.
        """
        kept: list[str] = []
        self._shown = ""
        try:
            with closing(self._answer()) as messages:
                for message in messages:
                    yield message
                    # The caller is back for the next message, so it has shown this one.
                    kept.append(message)
                    self._shown = ""
        finally:
            if self._shown:
                kept.append(self._shown)
            if kept:
                self.messages.append({"role": "assistant", "content": "\n".join(kept)})

    def mark_shown(self, message: str) -> None:
        """This message of `answer` is on the screen: keep it even if a signal ends the program before the next."""
        self._shown = message

    def _answer(self) -> Generator[str, None, None]:
        parameters = self.player.parameters
        count = parameters.drawn(parameters.num_return_sequences)
        if count == 1:
            with closing(self.player.stream(self.messages)) as chunks:
                yield from split_messages(chunks)
        elif candidates := self._candidates(count):
            self.others = candidates[1:]
            yield from split_messages(candidates[:1])

    def more(self) -> list[str]:
        """``others``; if there are fewer than ``MIN_OTHERS``, more are generated."""
        reply = self._reply()
        if len(self.others) < MIN_OTHERS:
            last = self.messages.pop()
            try:
                candidates = self._candidates(MIN_OTHERS)
            finally:
                self.messages.append(last)
            self.others += [one for one in candidates if one != reply and one not in self.others]
        return self.others

    def _candidates(self, count: int) -> list[str]:
        """Different ones, the best first."""
        return list(dict.fromkeys(reply.text for reply in self.player.candidates(self.messages, count)))

    def take_back_reply(self) -> None:
        """Remove the last reply, so that `answer` gives another one."""
        before = self.messages if self.last_reply is None else self.messages[:-1]
        if not before or before[-1]["role"] == "system":
            raise SelfChatBotError("there is nothing to reply to yet")
        self.messages = before
        self.others = []

    def undo(self) -> None:
        """Remove the user's last turn and everything after it."""
        if not any(message["role"] == "user" for message in self.messages):
            raise SelfChatBotError("there is nothing to take back")
        while self.messages.pop()["role"] != "user":
            pass
        self.others, self._worse = [], []

    def clear(self) -> None:
        """Start a new conversation as the same contact."""
        self.messages = [message for message in self.messages if message["role"] == "system"]
        self.others, self._worse = [], []

    def load(self, messages: ChatMessages) -> None:
        """Continue another conversation."""
        self.messages = merged(messages)
        self.others, self._worse = [], []

    def speak_as(self, system: str) -> None:
        """Become the contact whose system message this is."""
        rest = [message for message in self.messages if message["role"] != "system"]
        self.messages = [{"role": "system", "content": system}, *rest]
        self.others, self._worse = [], []

    def choose(self, number: int) -> str:
        """Replace the last reply by one of ``others``, counted from 1, and keep it there instead."""
        reply = self._reply()
        if not 1 <= number <= len(self.others):
            raise SelfChatBotError(f"there are {len(self.others)} others: choose one from 1 to {len(self.others)}")
        chosen = self.others[number - 1]
        self.others[number - 1] = reply
        self._replace(chosen)
        return chosen

    def edit(self, text: str) -> None:
        """Replace the last reply by ``text``, which is recorded as preferred to it."""
        reply = self._reply()
        self._replace(text)
        self._prefer(text, [*self._worse, reply])
        self._worse = []

    def good(self) -> None:
        """Record the last reply as preferred to those rated bad before it, or else to ``others``."""
        reply = self._reply()
        if not self._worse:
            self.more()
        self._prefer(reply, [*self._worse, *self.others])
        self._worse = []

    def bad(self) -> Generator[str, None, None]:
        """Give another reply. The preference is recorded when that one is accepted, by `say` or `good`."""
        reply = self._reply()
        others = [other for other in self.others if other not in self._worse]
        self._worse.append(reply)
        self.messages.pop()
        if not others:
            self.others = []
            return self.answer()
        self.others = others[1:]
        return self._give(others[0])

    def _give(self, text: str) -> Generator[str, None, None]:
        self.messages.append({"role": "assistant", "content": text})
        yield from split_messages([text])

    def _prefer(self, better: str, worse: list[str]) -> None:
        self._on_preference(self.messages[:-1], better, worse)

    def _replace(self, text: str) -> None:
        self.messages[-1] = {"role": "assistant", "content": text}

    def _reply(self) -> str:
        if self.last_reply is None:
            raise SelfChatBotError("there is no reply yet")
        return self.last_reply
