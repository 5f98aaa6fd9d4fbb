"""Redaction rules: a cheap check, and an exact search in the texts that pass it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
Find = Callable[[str, str], Iterator[Span]]
"""From a text and its `lower` version to the spans to replace, in order."""

LETTER_BEFORE = r"(?<![^\W_])"
LETTER_AFTER = r"(?![^\W_])"
"""No letter or digit there. Unlike with ``\\b``, an underscore is neither."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How to find one kind of private data."""

    kind: str
    quick: Callable[[str], object]
    """A cheap check of a lower-case text: true if ``find`` could find something. Few texts pass."""
    find: Find
    needs_digits: bool = False
    """Whether every match has three digits in a row."""


def holds(*words: str) -> Callable[[str], bool]:
    """A check for any of ``words``. Many such searches are faster than one pattern with many words."""
    return lambda lower: any(map(lower.__contains__, words))


def places(words: Iterable[str], lower: str) -> list[Span]:
    """The spans of all occurrences of ``words``, in order."""
    found = []
    for word in words:
        position = lower.find(word)
        while position >= 0:
            found.append((position, position + len(word)))
            position = lower.find(word, position + 1)
    return sorted(found)


def windows(spans: Iterable[Span], length: int, before: int, after: int) -> Iterator[Span]:
    """The surroundings of ``spans`` in a text of ``length`` characters. Those that touch are merged."""
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
    """``text`` in lower case with every character in its place: ``İ``, which would become two, becomes ``i``."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower()[0] for c in text)


def replace_spans(text: str, spans: Iterable[Span], placeholder: str) -> str:
    """``text`` with a placeholder for each span."""
    parts = []
    end = 0
    for start, stop in spans:
        parts += [text[end:start], placeholder]
        end = stop
    return "".join([*parts, text[end:]])
