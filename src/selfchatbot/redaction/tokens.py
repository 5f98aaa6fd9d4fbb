"""Access tokens and private keys, by the prefixes of their issuers or by their place in a link or header."""

import re
from collections.abc import Iterator

from selfchatbot.redaction.rule import Rule, Span, holds

# Each repetition is bounded, or ends at a character that can't start a match: a megabyte of "eyJeyJeyJ" stays linear.
TOKEN = re.compile(
    r"(?<![\w-])(?:"
    r"gh[opsur]_[A-Za-z0-9]{30,255}|github_pat_\w{20,255}|gl(?:pat|dt|rt)-[\w-]{20,255}|xox[abeoprs]-[\w-]{10,255}"
    r"|xapp-[\w-]{20,255}|sk-[\w-]{20,255}|[prs]k_(?:live|test)_[A-Za-z0-9]{16,255}|whsec_[\w+/=]{20,255}"
    r"|A(?:KI|SI|ID|RO)A[A-Z0-9]{16}(?!\w)|AIza[\w-]{35}|ya29\.[\w-]{20,255}|hf_[A-Za-z0-9]{30,255}|npm_[A-Za-z0-9]{36}"
    r"|pypi-[\w-]{50,255}|dop_v1_[0-9a-f]{64}|SG\.[\w-]{16,255}\.[\w-]{16,255}|AGE-SECRET-KEY-1[0-9A-Z]{50,64}"
    r"|eyJ[\w-]{8,4096}\.eyJ[\w-]{8,4096}\.[\w-]{0,4096}|mfa\.[\w-]{20,255}"
    r"|[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])|\d{8,10}:AA[\w-]{33}(?![\w-]))"
    r"|\b(?i:bearer) (?P<bearer>[\w.~+/-]{16,4096}=*)"
    r"|[?&#](?i:access_token|token|api_?key|key|auth|sig|signature|password|secret|session|sid|code)="
    r"(?P<parameter>[^&\s#\[\]]{8,4096})"
    r"|://[^/\s:@]{1,64}:(?P<login>[^/\s@]{1,256})@"
    r"|https://(?:hooks\.slack\.com/services|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks)/[\w/-]{20,255}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:\n[\w-]{1,40}: [^\n\x1e]{0,100}|\n(?=\n)|\n[A-Za-z0-9+/=]{16,100})*"
    r"(?:\n[A-Za-z0-9+/=]{1,15})?(?:\n-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)


def _tokens(text: str, lower: str) -> Iterator[Span]:
    for match in TOKEN.finditer(text):
        # Of a header or link, only the group with the token is replaced.
        yield match.span(match.lastgroup or 0)


PREFIXES = (
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "_pat_", "glpat-", "gldt-", "glrt-", "xox", "xapp-", "sk-", "k_live_"),
    *("k_test_", "whsec_", "akia", "asia", "aida", "aroa", "aiza", "ya29.", "hf_", "npm_", "pypi-", "dop_v1_", "sg."),
    *("age-secret", "eyj", "mfa.", ":aa", "bearer "),
)
NO_PREFIX = re.compile(r"\.[\w-]{6}\.[\w-]{27}|=[^&\s#\[\]]{8}")
DIGIT_BESIDE_LETTER = re.compile(r"\d(?:[a-z_:-]|(?<=[a-z_:-]\d))")
"""In every token, some digit is next to a letter. Most conversations have no such place."""
_has_link_or_key = holds("://", "-----begin")
_has_prefix = holds(*PREFIXES)


def _quick(lower: str) -> object:
    return _has_link_or_key(lower) or (
        DIGIT_BESIDE_LETTER.search(lower) and (_has_prefix(lower) or NO_PREFIX.search(lower))
    )


RULES = (Rule("access_tokens", _quick, _tokens),)
