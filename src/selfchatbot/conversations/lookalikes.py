"""Names that may mean an excluded person, but were not excluded."""

import json
import re
import unicodedata
from collections.abc import Iterable

from selfchatbot.preprocessors.names import comparable, without_discriminator
from selfchatbot.redaction.contacts import words
from selfchatbot.redaction.rule import lower

WORD = re.compile(r"[^\W\d_]+")
PART = re.compile(r"[^\W\d_]{3,}")
PHONE_NUMBER = re.compile(r"[+\d\s()./\u202a\u202c-]{7,}")
MIN_DIGITS = 7
MIN_LETTERS, MIN_REST = 4, 4
"""A nickname is taken for a name in one word if it begins with as many letters of it, and as many follow."""
CYRILLIC = {
    **dict(zip("абвгґдеєзиіклмнопрстуфыэ", "abvggdeeziiklmnoprstufye", strict=True)),
    **dict(zip("жхцчшщъьюя", ("zh", "kh", "ts", "ch", "sh", "shch", "", "", "yu", "ya"), strict=True)),
}
"""In Latin letters, mostly as in passports (ICAO Doc 9303)."""
LETTERS = str.maketrans(CYRILLIC)
SOUNDS = (("kh", "h"), ("ph", "f"), ("x", "ks"), ("y", "i"), ("j", "i"), ("w", "v"))
"""Latin letters that stand for the same Cyrillic one."""
REPEATED = re.compile(r"(.)\1+")


def lookalikes(names: Iterable[str], excluded: Iterable[str]) -> list[str]:
    """Those of ``names`` that look like one of ``excluded``.

    Either all words of one are words of the other ("Daniel", "Daniel Reyes"), or one is the other in one word
    ("danielreyes", "dreyes", "daniel.r"). A name in Cyrillic letters is compared by its sound ("Даниэль").
    """
    known = [parts for name in excluded if (parts := _words(name))]
    return [name for name in names if (parts := _words(name)) and any(_alike(parts, other) for other in known)]


def count_parts(lines: Iterable[bytes], excluded: Iterable[str]) -> int:
    """How often words of the ``excluded`` names, such as first names alone, occur in lines of conversations.

    ``excluded``: in lower case. Whole names were replaced before.
    """
    names = set(excluded)
    spellings = {form for name in names for form in (unicodedata.normalize("NFC", name), _without_accents(name))}
    parts = {part for name in spellings for part in PART.findall(name)} - names
    if not parts:
        return 0
    find = words("parts", parts).find
    texts = (message["content"] for line in lines for message in json.loads(line)["messages"])
    return sum(sum(1 for _ in find(text, lower(text))) for text in texts)


def is_phone_number(name: str) -> bool:
    """Whether a contact has no name: it can be anybody."""
    return PHONE_NUMBER.fullmatch(name) is not None and sum(map(str.isdecimal, name)) >= MIN_DIGITS


def _words(name: str) -> tuple[str, ...]:
    """The words of a name, without case, accents, digits and signs."""
    return tuple(WORD.findall(_without_accents(without_discriminator(comparable(name)))))


def _without_accents(name: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))


def _sound(word: str) -> str:
    sound = word.translate(LETTERS)
    for spelled, letter in SOUNDS:
        sound = sound.replace(spelled, letter)
    return REPEATED.sub(r"\1", sound)


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if CYRILLIC.keys().isdisjoint("".join(one)) != CYRILLIC.keys().isdisjoint("".join(other)):
        one, other = tuple(map(_sound, one)), tuple(map(_sound, other))
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    short, long = sorted(("".join(one), "".join(other)), key=len)
    if len(one) == len(other) == 1:
        return len(short) >= MIN_LETTERS and len(long) - len(short) >= MIN_REST and long.startswith(short)
    return bool(_in_one_word(one) & _in_one_word(other))


def _in_one_word(name: tuple[str, ...]) -> set[str]:
    """``Daniel Reyes`` as ``danielreyes``, ``dreyes`` and ``danielr``."""
    first, last = name[0], name[-1]
    joined = {"".join(name)}
    return joined if len(name) == 1 else joined | {first + last, first[0] + last, first + last[0]}
