"""Unique names for accounts and chats that an export identifies by ids."""

import re
from functools import lru_cache

INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
"""Control characters and direction marks, which some copies of a name contain. Not the joiners in emoji."""
NAMESAKE = re.compile(r" \((?:(?:user|channel|chat)\d{1,20}|\d{15,20}|[UW][A-Z0-9]{7,11})\)$", re.ASCII)
"""The id after a name that was already taken: of Telegram, Discord and Slack."""


@lru_cache(maxsize=4096)
def visible(name: str) -> str:
    """``name`` without invisible characters, so that one person doesn't become two."""
    if name.isprintable():
        return name
    seen = INVISIBLE.sub("", name)
    return name if seen == name else seen.strip() or name


class Names:
    """A name for each id. If a name is already taken by another id, the id is appended to it.

    The first name seen with an id is kept, even if the account is renamed later.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}
        self._taken: set[str] = set()
        self._of: dict[str, tuple[str, str]] = {}
        """From unique names to the names in the export and the ids."""

    def of(self, key: str, name: str | None) -> str:
        """The name for an id. ``name``: as written in the export, None for a deleted account."""
        if (known := self._by_id.get(key)) is not None:
            return known
        name = shown = visible(name) if name else key
        # Names in parameters.json are compared without case: if two differed only in case, both would be "me".
        if shown.casefold() in self._taken:
            shown = f"{shown} ({key})"
        self._taken.add(shown.casefold())
        self._by_id[key] = shown
        self._of[shown] = name, key
        return shown

    def full(self, shown: str) -> str:
        """A name followed by its id, even if the name was not taken."""
        name, key = self._of.get(shown, (shown, ""))
        return f"{name} ({key})" if key else shown

    def forms(self, shown: str) -> tuple[str, ...]:
        """The name in the export, the same followed by the id, and the id."""
        return (self._of[shown][0], self.full(shown), self._of[shown][1]) if shown in self._of else (shown,)

    def namesakes(self, shown: str) -> set[str]:
        """The unique names of all who have the same name in the export."""
        name = self.forms(shown)[0].casefold()
        return {other for other, (others_name, _) in self._of.items() if others_name.casefold() == name}
