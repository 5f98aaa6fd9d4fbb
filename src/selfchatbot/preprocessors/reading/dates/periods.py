"""The words beside the hours of a clock that counts to 12: AM and PM, and the parts of the day some languages use.

``day_periods.json`` has them in lower case, as CLDR writes them (``dayPeriods`` and ``dayPeriodRules``) in the
languages that phones have. ``night`` is for words of the evening, which may go on after midnight, and ``midday`` for
those that begin before noon.
"""

import json
import re
from pathlib import Path

_WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("day_periods.json").read_text(encoding="utf-8"))
_KIND = {word: kind for kind, words in _WORDS.items() for word in words}
PERIOD = re.compile(
    rf"(?<![^\W\d])(?:{'|'.join(re.escape(word) for word in sorted(_KIND, key=len, reverse=True))})(?![^\W\d])"
)
"""Finds a word in a text in lower case with plain spaces."""
_EAST_ASIAN = re.compile("[\u3400-\u9fff\uac00-\ud7af]")


def period_mark(word: str) -> str:
    """What stands for ``word`` in the shape of a date: P for plain AM and PM, Q for East Asian words, W for others."""
    return "P" if word in ("am", "pm") else "Q" if _EAST_ASIAN.search(word) else "W"


def hours_to_add(word: str, hour: int) -> int:
    """0 or 12: what to add to ``hour`` modulo 12 to get the hour of the day, when ``word`` stands beside it."""
    kind = _KIND[word]
    if kind == "night":
        return 12 if 6 <= hour < 12 else 0
    if kind == "midday":
        return 0 if 8 <= hour < 12 else 12
    return 12 if kind == "pm" else 0
