"""``drop`` in preprocessor_data: what the user says that an app wrote."""

from collections.abc import Iterable

_INVISIBLE = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\ufeff")) | {0xA0: " ", 0x202F: " "}


class DropPatterns:
    """Takes out of messages what any of the patterns matches: the whole message, or a whole line of it.

    ``*`` in a pattern stands for anything. Each piece between two of them is searched once, from the left, so that
    time is linear in the text whatever the pattern. Invisible marks and the width of blanks don't count.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._pieces = [_plain(pattern).split("*") for pattern in patterns]
        self._unused = set(range(len(self._pieces)))

    def rest(self, content: str) -> str:
        """What is left of a message."""
        if self._matches(content):
            return ""
        if "\n" not in content:
            return content
        lines = content.split("\n")
        kept = [line for line in lines if not self._matches(line)]
        return content if len(kept) == len(lines) else "\n".join(kept).strip("\n")

    def unused(self) -> list[int]:
        """The numbers, from 1, of the patterns that matched nothing."""
        return sorted(number + 1 for number in self._unused)

    def _matches(self, text: str) -> bool:
        text = _plain(text)
        for number, pieces in enumerate(self._pieces):
            if _fits(pieces, text):
                self._unused.discard(number)
                return True
        return False


def _plain(text: str) -> str:
    return text.strip() if text.isascii() else text.translate(_INVISIBLE).strip()


def _fits(pieces: list[str], text: str) -> bool:
    first, *rest = pieces
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    start = len(first)
    for piece in rest[:-1]:
        found = text.find(piece, start)
        if found < 0:
            return False
        start = found + len(piece)
    return len(text) - len(rest[-1]) >= start and text.endswith(rest[-1])
