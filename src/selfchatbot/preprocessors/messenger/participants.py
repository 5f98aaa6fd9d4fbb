"""Who exported: the one participant that all chats of a download have in common."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

SEPARATORS = re.compile(r"[\W_]")
"""Combining accents are no letters either."""
UNDECOMPOSED = str.maketrans("łđøı", "ldoi")
START = re.compile(r'"participants"\s*:\s*')


def participants(head: bytes) -> list[str]:
    """The names in the participants of a chat, as far as the beginning of its file holds them, as they are written."""
    text = head.decode(errors="ignore")
    if (match := START.search(text)) is None:
        return []
    try:
        listed, _ = json.JSONDecoder().raw_decode(text, match.end())
    except (ValueError, RecursionError):
        return []
    if not isinstance(listed, list):
        return []
    names = (one.get("name") if isinstance(one, dict) else one for one in listed)
    return [name for name in names if isinstance(name, str) and name]


def owner(chats: Iterable[tuple[str, list[str]]]) -> str | None:
    """The participant who takes part in more chats than anybody else, None where that is nobody.

    ``chats`` are pairs of the name of a chat, letters and digits only, and its participants. A chat of two is named
    after the other one, so that a single chat may say it as well. Somebody who wrote a message request takes part in
    one chat only, which hides nobody.
    """
    taking_part: Counter[str] = Counter()
    others: Counter[str] = Counter()
    number = 0
    for name, members in chats:
        distinct = set(members)
        number += 1
        taking_part.update(distinct)
        named = [member for member in distinct if spelled(member) == name]
        if len(distinct) == 2 and len(named) == 1:
            others[named[0]] += 1
    # A group that I have left may not name me; more than half of all chats have me, though.
    possible = [name for name, count in taking_part.items() if not others[name] and 2 * count > number]
    most = max((taking_part[name] for name in possible), default=0)
    leading = [name for name in possible if taking_part[name] == most]
    if len(leading) != 1 or (number == 1 and not others):
        return None
    return leading[0]


def spelled(name: str) -> str:
    """A name as the folder of a chat spells it: "Bob Smith" and "bobsmith" are one, and "Jörg" and "jorg"."""
    return SEPARATORS.sub("", unicodedata.normalize("NFKD", name.casefold().translate(UNDECOMPOSED)))
