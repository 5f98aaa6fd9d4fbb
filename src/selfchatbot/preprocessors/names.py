"""Names of people: how those in parameters.json and those in exports are compared."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

from selfchatbot.display import without_hidden

DISCRIMINATOR = re.compile(r"#\d{4}$")
"""Discord's number behind a name."""


def without_discriminator(name: str) -> str:
    return DISCRIMINATOR.sub("", name)


def comparable(name: str) -> str:
    """A name without what doesn't count in comparisons: case, a leading ``@``, and what nobody sees.

    That is invisible characters, and whether an accent is a character of its own (Unicode's NFKC).
    """
    if not name.isascii():
        name = unicodedata.normalize("NFKC", without_hidden(name))
    return name.strip().removeprefix("@").casefold()


def closest_name(given: str, authors: Iterable[str]) -> str | None:
    """Of ``authors``, the most important first, the one who is probably meant by ``given``; None: nobody.

    ``Mia`` means "Mia K." sooner than "Mila", which has fewer other letters.
    """
    wanted = comparable(given)
    by_form = {comparable(author): author for author in reversed(list(authors))}
    for form, author in reversed(by_form.items()):
        if wanted and (set(wanted.split()) <= set(form.split()) or set(form.split()) <= set(wanted.split())):
            return author
    near = difflib.get_close_matches(wanted, by_form, n=1)
    return by_form[near[0]] if near else None


def same_name(given: str, author: str) -> bool:
    """Compare a name from parameters.json with one from an export. Case, ``@`` and a missing ``#1234`` don't count."""
    given, author = comparable(given), comparable(author)
    return given == author or without_discriminator(given) == author or given == without_discriminator(author)
