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


def places(words: Iterable[str], lower: str) -> list[Span]:
    """Where any of ``words`` stands, in order."""
    found = []
    for word in words:
        position = lower.find(word)
        while position >= 0:
            found.append((position, position + len(word)))
            position = lower.find(word, position + 1)
    return sorted(found)


def windows(spans: Iterable[Span], length: int, before: int, after: int) -> Iterator[Span]:
    """The surroundings of ``spans`` in a text of some length, those that touch put together."""
    start, end = 0, -1
    for first, last in spans:
        if end >= 0 and first - before > end:
            yield start, end
            end = -1
        if end < 0:
            start = max(0, first - before)
        end = min(length, last + after)
    if end >= 0:
        yield start, end


def every(pattern: str) -> Find:
    """All matches of a pattern in the lower-case text."""
    compiled = re.compile(pattern)

    def find(text: str, lower: str) -> Iterator[Span]:
        return (match.span() for match in compiled.finditer(lower))

    return find


def lower(text: str) -> str:
    """``text`` in lower case with every character at its place: of ``İ``, which would become two, the first."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower()[0] for c in text)


def replace_spans(text: str, spans: Iterable[Span], placeholder: str) -> str:
    """``text`` with a placeholder at each of the places."""
    pieces = []
    end = 0
    for start, stop in spans:
        pieces += [text[end:start], placeholder]
        end = stop
    return "".join([*pieces, text[end:]])
