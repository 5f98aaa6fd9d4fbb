"""A conversation with the model in the making, for any screen: say, answer, take back, correct, rate."""

from collections.abc import Callable, Generator
from contextlib import closing

from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, encodable, merged
from selfchatbot.player import Player
from selfchatbot.player.reply.messages import bubbles

Rated = Callable[[ChatMessages, str, list[str]], None]
"""Takes what was answered, the better reply and the worse ones."""
FEWEST_OTHERS = 3


class Dialogue:
    """Turns of the person at the keyboard (``user``) and of the model (``assistant``), perhaps after a system message.

    A reply is the one of `best_of` (or of `num_return_sequences`, if those are more) that fits the conversation best;
    that is known when all are done, so it comes as a whole. If both are 1 (or the temperature is 0, at which all are
    the same), it comes while it is made. ``rated`` receives what was found better than what.
    """

    def __init__(self, player: Callable[[], Player], rated: Rated) -> None:
        """``player`` gives the model, and waits for it where it isn't loaded yet."""
        self._player = player
        self.messages: ChatMessages = []
        self.others: list[str] = []
        """What else could have been said instead of the last reply, what fits best first."""
        self._rated = rated
        self._showing = ""
        self._worse: list[str] = []
        """Replies that were called bad; they wait for a better one that stays."""

    @property
    def player(self) -> Player:
        """The model."""
        return self._player()

    @property
    def last_reply(self) -> str | None:
        """What the model said last, if nothing was said since."""
        last = self.messages[-1] if self.messages else None
        return last["content"] if last and last["role"] == "assistant" else None

    def say(self, text: str) -> None:
        """Another message to the model; several without a reply between them are one turn, a burst."""
        before, reply = self.messages[:-1], self.last_reply
        worse, self._worse = self._worse, []
        self.messages = merged([*self.messages, {"role": "user", "content": encodable(text)}])
        self.others = []
        if worse and reply is not None and reply not in worse:
            self._rated(before, reply, worse)

    def answer(self) -> Generator[str, None, None]:
        """The messages of the reply, each when it is finished.

        Close the generator to stop: what was said stays, without the message that was given last.
        """
        said: list[str] = []
        self._showing = ""
        try:
            with closing(self._answer()) as messages:
                for message in messages:
                    yield message
                    # Who comes back for the next one has shown this one; who stopped while it was awaited has not.
                    said.append(message)
                    self._showing = ""
        finally:
            if self._showing:
                said.append(self._showing)
            if said:
                self.messages.append({"role": "assistant", "content": "\n".join(said)})

    def showing(self, message: str) -> None:
        """This message of `answer` appears now: it is said, even if a signal ends everything before the next one."""
        self._showing = message

    def _answer(self) -> Generator[str, None, None]:
        parameters = self.player.parameters
        count = parameters.drawn(parameters.num_return_sequences)
        if count == 1:
            with closing(self.player.stream(self.messages)) as pieces:
                yield from bubbles(pieces)
        elif found := self._candidates(count):
            self.others = found[1:]
            yield from bubbles(found[:1])

    def more(self) -> list[str]:
        """``others``, and if those are few, some that are made now."""
        reply = self._reply()
        if len(self.others) < FEWEST_OTHERS:
            before = self.messages.pop()
            try:
                found = self._candidates(FEWEST_OTHERS)
            finally:
                self.messages.append(before)
            self.others += [one for one in found if one != reply and one not in self.others]
        return self.others

    def _candidates(self, count: int) -> list[str]:
        """Different ones, what fits best first."""
        return list(dict.fromkeys(reply.text for reply in self.player.candidates(self.messages, count)))

    def take_back_reply(self) -> None:
        """Forget the last reply, for another one."""
        before = self.messages if self.last_reply is None else self.messages[:-1]
        if not before or before[-1]["role"] == "system":
            raise SelfChatBotError("there is nothing to reply to yet")
        self.messages = before
        self.others = []

    def undo(self) -> None:
        """Forget the last message and its reply."""
        if not any(message["role"] == "user" for message in self.messages):
            raise SelfChatBotError("there is nothing to take back")
        while self.messages.pop()["role"] != "user":
            pass
        self.others, self._worse = [], []

    def clear(self) -> None:
        """Begin anew, with the same contact."""
        self.messages = [message for message in self.messages if message["role"] == "system"]
        self.others, self._worse = [], []

    def load(self, messages: ChatMessages) -> None:
        """Go on with another conversation."""
        self.messages = merged(messages)
        self.others, self._worse = [], []

    def speak_as(self, system: str) -> None:
        """Be the contact to whom this system message belongs."""
        rest = [message for message in self.messages if message["role"] != "system"]
        self.messages = [{"role": "system", "content": system}, *rest]
        self.others, self._worse = [], []

    def choose(self, number: int) -> str:
        """Say one of ``others``, counted from 1, instead of the last reply, which takes its place there."""
        reply = self._reply()
        if not 1 <= number <= len(self.others):
            raise SelfChatBotError(f"there are {len(self.others)} others: choose one from 1 to {len(self.others)}")
        chosen = self.others[number - 1]
        self.others[number - 1] = reply
        self._replace(chosen)
        return chosen

    def edit(self, text: str) -> None:
        """Put right what was said last; the better reply is kept as a preference."""
        reply = self._reply()
        self._replace(text)
        self._rate(text, [*self._worse, reply])
        self._worse = []

    def good(self) -> None:
        """The last reply is better than the others (made now if there are none) and than those called bad before."""
        reply = self._reply()
        if not self._worse:
            self.more()
        self._rate(reply, [*self._worse, *self.others])
        self._worse = []

    def bad(self) -> Generator[str, None, None]:
        """The last reply is bad: say something else. The pair is kept once that is accepted: by going on, or `good`."""
        reply = self._reply()
        others = [other for other in self.others if other not in self._worse]
        self._worse.append(reply)
        self.messages.pop()
        if not others:
            self.others = []
            return self.answer()
        self.others = others[1:]
        return self._say_again(others[0])

    def _say_again(self, text: str) -> Generator[str, None, None]:
        self.messages.append({"role": "assistant", "content": text})
        yield from bubbles([text])

    def _rate(self, better: str, worse: list[str]) -> None:
        self._rated(self.messages[:-1], better, worse)

    def _replace(self, text: str) -> None:
        self.messages[-1] = {"role": "assistant", "content": text}

    def _reply(self) -> str:
        if self.last_reply is None:
            raise SelfChatBotError("there is no reply yet")
        return self.last_reply
