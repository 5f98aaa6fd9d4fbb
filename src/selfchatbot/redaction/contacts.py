"""Links, e-mail and street addresses, phone numbers, and words that the user lists. All of these are optional."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from selfchatbot.redaction.rule import LETTER_AFTER, LETTER_BEFORE, Rule, Span, every, holds, lower, windows

LINK = (
    r"(?:https?://|(?<![\w.@-])www\.|(?<![\w.@-])(?:discord\.gg|t\.me|youtu\.be|bit\.ly|wa\.me)/)"
    r"[^\s<>]*[^\s<>.,!?;:)\]'\"…]"
)
EMAIL = r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?<![_-])"
STREETS = (
    "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|square|terrace|highway|hwy|parkway"
)
NOT_A_STREET_NAME = (
    "in|the|a|an|and|then|down|up|to|from|of|off|on|or|at|with|is|was|my|our|your|his|her|their|this|that|more|hours?|"
    "minutes?|mins?|seconds?|miles?|mph|km|kilometers?|years?|days?|weeks?|months?|people|cars?|lane"
)
"""Words between a number and a street word that make it something else: "a 5 hour drive"."""
FRENCH = r"(?:rue|(?:avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|route)[ ](?:de|du|des|d'|d’|la|le|les))"
GERMANIC = (
    "straße|strasse|str\\.|weg|platz|allee|gasse|damm|ufer|chaussee|straat|laan|plein|gracht|vej|gatan|vägen|katu"
)
SOUTHERN = (
    r"(?:(?:calle|avenida|plaza|paseo|viale?|piazza|corso|rua|travessa|praça|ulica|улица)[ ]|"
    r"(?:c/|avda\.|ul\.|ул\.)[ ]?)"
)
ADDRESS = (
    rf"(?<![\w.,:/-])\d{{1,5}}[a-z]?[ ](?:(?!(?:{NOT_A_STREET_NAME})[ ])[^\W\d_][\w.'’-]{{0,20}}[ ]){{1,3}}"
    rf"(?:{STREETS})(?![\w'’])\.?(?:,?[ ](?:apt|apartment|unit|suite|flat|#)\.?[ ]?\w{{1,6}})?"
    rf"|(?<![\w.,:/-])\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ]{FRENCH}[ ][^\n\x1e,.!?\d]{{3,40}}"
    rf"|(?<!\w)(?:[^\W\d_]{{1,20}}-){{0,3}}[^\W\d_]{{1,30}}(?:{GERMANIC})[ ]\d{{1,4}}[ ]?[a-z]?(?!\w)"
    rf"|(?<!\w){SOUTHERN}[^\n\x1e,.!?\d]{{3,40}}?,?[ ](?:n[º°.]?[ ]?|д\.?[ ]?)?\d{{1,5}}(?!\w)"
)
"""Number and street, or street and number, recognised by words such as "street"."""

MAX_MATCH = 100
"""Characters before and after a number that an address can extend to."""
NUMBER = re.compile(r"\d+")
STREET = re.compile(ADDRESS)


def _addresses(text: str, lower: str) -> Iterator[Span]:
    numbers = (match.span() for match in NUMBER.finditer(lower))
    for start, stop in windows(numbers, len(lower), MAX_MATCH, MAX_MATCH):
        yield from (match.span() for match in STREET.finditer(lower, start, stop))


RULES = (
    Rule("links", holds("://", "www.", "discord.gg/", "t.me/", "youtu.be/", "bit.ly/", "wa.me/"), every(LINK)),
    Rule("emails", holds("@"), every(EMAIL)),
    Rule("street_addresses", NUMBER.search, _addresses),
)


MENTION = re.compile(r"(?<![\w.@])@\d{7,18}(?!\w)")


def phone_numbers(region: str | None) -> Rule:
    """Numbers that can be dialled in ``region`` (package phonenumbers). Without a region, only those with ``+``.

    WhatsApp mentions people as ``@`` and the digits of their number, or of another one that identifies them.
    """

    def find(text: str, lower: str) -> Iterator[Span]:
        import phonenumbers

        mentions = [match.span() for match in MENTION.finditer(lower)]
        numbers = ((match.start, match.end) for match in phonenumbers.PhoneNumberMatcher(text, region))
        alone = ((start, end) for start, end in numbers if not any(one < end and start < two for one, two in mentions))
        yield from sorted([*mentions, *alone])

    return Rule("phone_numbers", re.compile(r"\d[\d ()./\u00a0-]{5}").search, find)


APOSTROPHE = re.compile("['’‘ʼ]")
SPACE = r"[^\S\x1e]{1,4}"
"""Between words, on one line or two."""
VARIANTS = {
    r"\ ": SPACE,
    "'": APOSTROPHE.pattern,
    **dict.fromkeys("σς", "[σς]"),
    **dict.fromkeys(("ß", "ss"), "(?:ß|ss)"),
}
"""Patterns for characters that are written in several ways."""
VARIANT = re.compile(rf"{'|'.join(map(re.escape, VARIANTS))}|[^\x00-\x7f]")


def _variants_of(match: re.Match[str]) -> str:
    """The pattern for a character; an accent may be a character of its own, as in names of files on a Mac."""
    decomposed = unicodedata.normalize("NFD", match[0])
    return VARIANTS.get(match[0]) or (match[0] if decomposed == match[0] else f"(?:{match[0]}|{decomposed})")


MIN_JOINED_LETTERS = 7
"""Shorter names in one word could be another word: Ann A."""
BETWEEN_DIGITS = r"[ ()./\u00a0-]{0,3}"
"""Of a phone number."""


def words(kind: str, listed: Iterable[str], joined: bool = False) -> Rule:
    """Whole words, ignoring case and a plural ``s``. In scripts without spaces, parts of words match too.

    All kinds of apostrophes are equal, and so are ``ß`` and ``ss``. Several words may be on two lines. With ``joined``,
    which is for names, they may also be written as one (``#janedoe``, ``jane_doe``), and a number's digits in groups.
    """
    alternatives = []
    plain = {" ".join(unicodedata.normalize("NFC", APOSTROPHE.sub("'", lower(word))).split()) for word in listed} - {""}
    for word in sorted(plain, key=len, reverse=True):
        has_spaces = all(character < "\u2000" for character in word)
        before = LETTER_BEFORE if has_spaces and word[0].isalnum() else ""
        after = rf"(?:s{LETTER_AFTER}|{LETTER_AFTER})" if has_spaces and word[-1].isalnum() else ""
        spelled = VARIANT.sub(_variants_of, re.escape(word))
        if joined and len(word.replace(" ", "")) >= MIN_JOINED_LETTERS:
            spelled = spelled.replace(SPACE, rf"(?:{SPACE}|[._-]?)")
            if word.isdecimal():
                before, spelled = rf"{LETTER_BEFORE}\+?", BETWEEN_DIGITS.join(word)
        alternatives.append(before + spelled + after)
    pattern = "|".join(alternatives) or "(?!)"
    return Rule(kind, re.compile(pattern).search, every(pattern))
