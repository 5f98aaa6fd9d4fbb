"""Payment card numbers and IBANs: their check digits tell them from other numbers (package python-stdnum)."""

import re
from collections.abc import Iterator

from selfchatbot.redaction.rule import Rule, Span

CARD = re.compile(
    # Cards are embossed in groups of 4-4-4-1..7 or 4-6-4..5 digits; without spaces, only the lengths of cards count.
    # Mentions, links and message ids contain long numbers too.
    r"(?<![\w@#/.:=<+-])(?:[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{4,5}"
    r"|4\d{12}|3\d{13,14}|[2-6]\d{15}|6\d{18})(?![\w@>]|[-./]\w)",
    re.ASCII,
)
IBAN_START = re.compile(r"(?<![^\W_])[a-z]{2}\d\d(?=[ -]?[a-z0-9]{4})")
IBAN_REST = re.compile(r"(?:[ -]?[a-z0-9]){11,30}(?![^\W_])", re.ASCII)
MIN_IBAN_LENGTH = 15


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

        # The next words may look like a part of it ("... 00 on Monday"), so the longest valid prefix counts.
        stop = rest.end()
        while stop - start >= MIN_IBAN_LENGTH:
            if iban.is_valid(text[start:stop]):
                yield start, stop
                end = stop
                break
            stop = max(text.rfind(" ", start, stop), text.rfind("-", start, stop))


RULES = (
    Rule("ibans", re.compile(r"[a-z]{2}\d\d[ -]?[a-z0-9]{4}").search, _ibans, needs_digits=True),
    Rule("payment_cards", re.compile(r"\d{4}[ -]?\d{4}[ -]?\d").search, _cards, needs_digits=True),
)
