"""What is shown to a person: names, messages and replies without characters that nobody sees.

They come from other people or from a model, and may not move the cursor, write into the clipboard (OSC 52), turn text
round (U+202E) or make two names look alike. Everything on the screen, in the log and in reports goes through here.
"""

import re

_JOINED = "\u0590-\u1fff\u2300-\ud7ff\ufb1d-\ufefc\U0001f000-\U0001ffff"
"""Scripts and emoji in which invisible joiners belong to the spelling."""
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_NEEDED = (
    rf"(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}])|(?<=[{_RIGHT_TO_LEFT}])[\u061c\u200e\u200f]"
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
)
"""Invisible, but part of a spelling or, the last one, of the flags of England, Scotland and Wales."""
_HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    r"\U000e01f0-\U000e0fff"
)
"""Control characters, and what Unicode's DerivedCoreProperties.txt calls Default_Ignorable_Code_Point, such as bidi
controls and zero-width spaces, without the variation selectors of emoji."""
_INVISIBLE = re.compile(f"({_NEEDED})|[{_HIDDEN}]")
_ANY_HIDDEN = re.compile(f"[{_HIDDEN}]")
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&#])")


def visible(text: str) -> str:
    r"""``text`` with invisible characters as JSON escapes them, such as ``\u001b``; line ends and tabs stay.

    JSON remains the same JSON. Joiners and marks stay where a script or an emoji needs them.
    """
    return _INVISIBLE.sub(lambda match: match[1] or _escaped(match[0]), text)


def without_hidden(text: str) -> str:
    """``text`` without invisible characters, joiners too: for comparing what people see."""
    return _ANY_HIDDEN.sub("", text)


def visible_line(text: str) -> str:
    r"""`visible` on one line: a line end becomes ``\n``, a tab ``\t``."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def markdown(text: str) -> str:
    """`visible` within one line of Markdown: no character of it is markup or HTML; a line end becomes ``<br>``."""
    return _MARKUP.sub(r"\\\1", visible(text)).replace("\n", "<br>")


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
