"""Names of people: how those in parameters.json and those in exports are compared."""

import re

DISCRIMINATOR = re.compile(r"#\d{4}$")
"""Discord's number behind a name."""


def without_discriminator(name: str) -> str:
    return DISCRIMINATOR.sub("", name)


def comparable(name: str) -> str:
    """A name without what doesn't count in comparisons: case and a leading ``@``."""
    return name.strip().removeprefix("@").casefold()


def same_name(given: str, author: str) -> bool:
    """Compare a name from parameters.json with one from an export. Case, ``@`` and a missing ``#1234`` don't count."""
    given, author = comparable(given), comparable(author)
    return given == author or without_discriminator(given) == author or given == without_discriminator(author)
