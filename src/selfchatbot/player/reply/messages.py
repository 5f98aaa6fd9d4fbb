"""A reply as a chat app shows it: one bubble for each message of a burst."""

from collections.abc import Iterable, Iterator


def bubbles(pieces: Iterable[str]) -> Iterator[str]:
    """The messages of a reply that comes in ``pieces``, each as soon as it is finished; empty lines are none."""
    line = ""
    for piece in pieces:
        *finished, line = (line + piece).split("\n")
        yield from filter(str.strip, finished)
    if line.strip():
        yield line
