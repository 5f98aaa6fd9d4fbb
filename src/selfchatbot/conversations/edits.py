"""Messages that were edited between two exports of one chat: the latest wording counts."""

from collections.abc import Iterable
from dataclasses import replace

from selfchatbot.messages import Message


class Edits:
    """The latest wording of what was edited, as far as the exports have ids and say when that was."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._latest: dict[tuple[str, str], tuple[int, str]] = {}
        for message in messages:
            if message.edited and message.id is not None:
                key, found = (message.chat, message.id), (message.edited, message.content)
                if found[0] >= self._latest.get(key, found)[0]:
                    self._latest[key] = found

    def latest(self, message: Message) -> Message:
        """``message`` as it was edited last, in whichever export."""
        if message.id is None or (found := self._latest.get((message.chat, message.id))) is None:
            return message
        return replace(message, edited=found[0], content=found[1])
