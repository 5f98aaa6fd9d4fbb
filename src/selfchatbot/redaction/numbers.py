"""Payment cards and IBAN: numbers that prove themselves by their check digits (python-stdnum)."""

import re
from collections.abc import Iterator

from selfchatbot.redaction.rule import Rule, Span

CARD = re.compile(
    # 4-4-4-1..7 and 4-6-4..5 are how cards are embossed; without spaces, only lengths that cards have. Mentions, links
    # and message ids hold long numbers too.
    r"(?<![\w@#/.:=<+-])(?:[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{4,5}"
    r"|4\d{12}|3\d{13,14}|[2-6]\d{15}|6\d{18})(?![\w@>]|[-./]\w)",
    re.ASCII,
)
IBAN_START = re.compile(r"(?<![^\W_])[a-z]{2}\d\d(?=[ -]?[a-z0-9]{4})")
IBAN_REST = re.compile(r"(?:[ -]?[a-z0-9]){11,30}(?![^\W_])", re.ASCII)
SHORTEST_IBAN = 15


def _cards(text: str, lower: str) -> Iterator[Span]:
    for match in CARD.finditer(text):
        from stdnum import luhn

        if luhn.is_valid(re.sub(r"\D", "", match[0])):
            yield match.span()


def _ibans(text: str, lower: str) -> Iterator[Span]:
    end = 0
    for match in IBAN_START.finditer(lower):
        start = match.start()
        rest = IBAN_REST.match(lower, match.end())
        if rest is None or start < end:
            continue
        from stdnum import iban

        # The words after it may look like a part of it ("... 00 on Monday"): its longest valid beginning counts.
        stop = rest.end()
        while stop - start >= SHORTEST_IBAN:
            if iban.is_valid(text[start:stop]):
                yield start, stop
                end = stop
                break
            stop = max(text.rfind(" ", start, stop), text.rfind("-", start, stop))


RULES = (
    Rule("ibans", re.compile(r"[a-z]{2}\d\d[ -]?[a-z0-9]{4}").search, _ibans, digits=True),
    Rule("payment_cards", re.compile(r"\d{4}[ -]?\d{4}[ -]?\d").search, _cards, digits=True),
)
