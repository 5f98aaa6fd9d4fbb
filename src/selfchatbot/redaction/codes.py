"""One-time codes and PINs: a few digits next to a word such as "code"."""

import re
from collections.abc import Iterator

from selfchatbot.redaction.rule import LETTER_AFTER, LETTER_BEFORE, Rule, Span, holds, windows

WORDS = (
    "(?:verification |security |confirmation |login |access |activation |one[- ]time )?(?:code|pin|otp|tan)|passcode|"
    "2fa|bestätigungscode|sicherheitscode|zugangscode|prüfcode|código|codigo|codice|kode|kod|koodi|kód|код|κωδικός|"
    "קוד|رمز|كود|mã|รหัส"
)
UNSPACED_WORDS = "验证码|驗證碼|校验码|認証コード|認証番号|確認コード|認証用コード|인증번호|인증코드|인증 코드"
"""In languages without spaces between words."""
OTHER_CODES = re.compile(
    r"(?:zip|postal|post|postleit|error|promo|coupon|discount|source|morse|area|dress|bar|qr|exit|status|country|dialling|"
    r"dial|return|http|cheat|fehler|rabatt|gutschein)[ -]?\Z"
)
VALUE = r"(?:g-)?\d{3}[- ]\d{3}|(?:g-)?\d{4,8}"
NOT_AFTER = r"(?<![\w.,:/$€£-])"
IS = "is|ist|lautet|es|est|è|é|jest|är|er|это|είναι"
CODE = re.compile(
    rf"{LETTER_BEFORE}(?P<word>{WORDS})(?:s|n|es)?{LETTER_AFTER}(?P<filler>[^\d\n\x1e.!?]{{0,30}}?)"
    rf"(?:(?P<sign>[:=：]|\b(?:{IS}|now)\b)[^\w\n\x1e]{{0,4}}|[ \t]+)"
    rf"(?P<value>{VALUE})(?![\w%€$£°]|[.,:/-]\d)(?P<after>[ \t]*[^\W\d_]{{0,12}})"
    rf"|(?:{UNSPACED_WORDS})[^\d\n\x1e]{{0,12}}(?P<joined>\d{{4,8}})(?!\d)"
    rf"|{NOT_AFTER}(?P<before>{VALUE})[ \t]+(?:{IS})[ \t]+[^\d\n\x1e]{{0,40}}?{LETTER_BEFORE}(?:{WORDS}){LETTER_AFTER}"
    rf"|{NOT_AFTER}(?P<joined_before>\d{{4,8}})[^\d\n\x1e]{{0,12}}(?:{UNSPACED_WORDS})"
    r"|(?<![\w-])(?P<google>g-\d{6})(?!\w)"
    r"|\b(?:use|enter)[ \t]+(?P<use>\d{4,8})[ \t]+(?:to|as|for)\b"
    rf"|{LETTER_BEFORE}(?:{WORDS}){LETTER_AFTER}[^\d\n\x1e]{{0,30}}[\n\x1e]+"
    r"(?P<line>\d{3}[- ]\d{3}|\d{4,8})(?=[\n\x1e]|\Z)"
)
WORD_STEMS = (
    *(
        "code",
        "pin",
        "otp",
        "tan",
        "2fa",
        "código",
        "codigo",
        "codice",
        "kod",
        "kód",
        "код",
        "κωδ",
        "קוד",
        "رمز",
        "كود",
    ),
    *("mã", "รหัส", "码", "碼", "コード", "番号", "인증", "g-", "use ", "enter "),
)
"""Each of the words above contains one of these."""
DIGITS = re.compile(r"\d{4}|\d{3}[- ]\d{3}")
MAX_MATCH = 100
"""Characters before and after the digits that a match can extend to."""
YEAR = re.compile(r"(?:19|20)\d\d")


def _codes(text: str, lower: str) -> Iterator[Span]:
    digits = (match.span() for match in DIGITS.finditer(lower))
    for start, stop in windows(digits, len(lower), MAX_MATCH, MAX_MATCH):
        position = start
        while match := CODE.search(lower, position, stop):
            group = "value" if match["value"] else match.lastgroup
            assert group is not None
            if group != "value" or _is_code(lower, match):
                yield match.span(group)
                position = match.end(group)
            else:
                position = match.end("word")


def _is_code(lower: str, match: re.Match[str]) -> bool:
    sign = match["sign"]
    if sign is not None and sign in ":=：":
        return True
    if OTHER_CODES.search(lower, max(0, match.start() - 16), match.start()) or YEAR.fullmatch(match["value"]):
        return False
    # "code 482913" is a code, "code 2000 lines" and "code for 3000 hours" are not.
    return sign is not None or not (match["filler"].strip() or match["after"].strip())


_has_word = holds(*WORD_STEMS)

RULES = (Rule("one_time_codes", lambda lower: _has_word(lower) and DIGITS.search(lower), _codes, needs_digits=True),)
