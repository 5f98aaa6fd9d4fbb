"""Stop sequences: the text up to the first of them, however it is split into chunks."""

from collections.abc import Sequence

from selfchatbot.player.reply.truncation import overlap


class StopSequences:
    """Passes text on, except an end that may become a stop sequence; after a stop sequence, nothing more."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._held_back = ""
        self.reached = False

    def feed(self, text: str) -> str:
        """The text that can be passed on now."""
        if self.reached:
            return ""
        text = self._held_back + text
        found = [place for sequence in self._sequences if (place := text.find(sequence)) >= 0]
        if found:
            self.reached, self._held_back = True, ""
            return text[: min(found)]
        size = max((overlap(text, sequence) for sequence in self._sequences), default=0)
        self._held_back = text[len(text) - size :]
        return text[: len(text) - size]

    def rest(self) -> str:
        """The text held back, when no more follows."""
        text, self._held_back = self._held_back, ""
        return text
