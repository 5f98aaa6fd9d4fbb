"""Stop sequences: text up to the first of them, though pieces may end in its middle."""

from collections.abc import Sequence


class Stops:
    """Passes text on but for what may become a stop sequence; once one is there, nothing more."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._kept = ""
        self.reached = False

    def feed(self, text: str) -> str:
        """What can be passed on now."""
        if self.reached:
            return ""
        text = self._kept + text
        found = [place for sequence in self._sequences if (place := text.find(sequence)) >= 0]
        if found:
            self.reached, self._kept = True, ""
            return text[: min(found)]
        keep = max((self._overlap(text, sequence) for sequence in self._sequences), default=0)
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was kept back, when no more text comes."""
        text, self._kept = self._kept, ""
        return text

    @staticmethod
    def _overlap(text: str, sequence: str) -> int:
        """Characters at the end of ``text`` that begin ``sequence``."""
        return next((size for size in range(len(sequence) - 1, 0, -1) if text.endswith(sequence[:size])), 0)
