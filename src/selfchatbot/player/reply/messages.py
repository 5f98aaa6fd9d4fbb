"""A reply split into the messages that a chat app would show."""

from collections.abc import Iterable, Iterator


def split_messages(chunks: Iterable[str]) -> Iterator[str]:
    """The messages of a reply that arrives in ``chunks``, each as soon as it is complete; blank lines are dropped."""
    line = ""
    for chunk in chunks:
        *finished, line = (line + chunk).split("\n")
        yield from filter(str.strip, finished)
    if line.strip():
        yield line
