"""What one kind of thing to redact is: a cheap look, and an exact one for what it lets through."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
Find = Callable[[str, str], Iterator[Span]]
"""Takes a text and the same text in lower case, place by place; gives the places of what must not stay, in order."""

LETTER_BEFORE = r"(?<![^\W_])"
LETTER_AFTER = r"(?![^\W_])"
"""No letter or digit there: unlike ``\\b``, an underscore is none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind."""

    kind: str
    quick: Callable[[str], object]
    """Takes a text in lower case; true wherever ``find`` could find something. Cheap: nearly every text is refused."""
    find: Find
    digits: bool = False
    """Whether there is nothing to find in a text without three digits in a row."""


def holds(*words: str) -> Callable[[str], bool]:
    """A quick look for one of ``words``: many searches of this kind are faster than one pattern of many words."""
    return lambda lower: any(map(lower.__contains__, words))


def windows(pattern: re.Pattern[str], lower: str, before: int, after: int) -> Iterator[Span]:
    """The surroundings of all matches, those that touch put together."""
    start = end = 0
    for match in pattern.finditer(lower):
        if match.start() - before > end:
            if end:
                yield start, end
            start = match.start() - before
        elif not end:
            start = 0
        end = min(len(lower), match.end() + after)
    if end:
        yield start, end


def every(pattern: str) -> Find:
    """All matches of a pattern in the lower-case text."""
    compiled = re.compile(pattern)

    def find(text: str, lower: str) -> Iterator[Span]:
        return (match.span() for match in compiled.finditer(lower))

    return find


def lower(text: str) -> str:
    """``text`` in lower case with every character at its place: a few would become two."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def replaced(text: str, spans: Iterable[Span], placeholder: str) -> str:
    """``text`` with a placeholder at each of the places."""
    pieces = []
    end = 0
    for start, stop in spans:
        pieces += [text[end:start], placeholder]
        end = stop
    return "".join([*pieces, text[end:]])
