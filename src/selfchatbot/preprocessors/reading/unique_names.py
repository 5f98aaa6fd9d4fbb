"""Names that are shown for accounts and chats which an export tells apart by their ids."""

import re
from functools import lru_cache

INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
"""Control characters and marks of direction, which some copies of a name hold; not what emoji are joined with."""
NAMESAKE = re.compile(r" \((?:(?:user|channel|chat)\d{1,20}|\d{15,20}|[UW][A-Z0-9]{7,11})\)$", re.ASCII)
"""The id behind the name of a later one: of Telegram, Discord and Slack."""


@lru_cache(maxsize=4096)
def visible(name: str) -> str:
    """``name`` without characters that nobody sees, so that one person stays one person."""
    if name.isprintable():
        return name
    seen = INVISIBLE.sub("", name)
    return name if seen == name else seen.strip() or name


class Names:
    """One name for each id, and never one name for two: a later one gets its id behind it.

    The first name that is seen with an id stays, whatever the account is called later.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}
        self._taken: set[str] = set()
        self._of: dict[str, tuple[str, str]] = {}
        """Names that are shown to the names in the export and the ids."""

    def of(self, key: str, name: str | None) -> str:
        """The name for an id; ``name`` is what the export calls it here, None for a deleted account."""
        if (known := self._by_id.get(key)) is not None:
            return known
        name = shown = visible(name) if name else key
        # Two that differ in case only would both be "me": names in parameters.json are compared without case.
        if shown.casefold() in self._taken:
            shown = f"{shown} ({key})"
        self._taken.add(shown.casefold())
        self._by_id[key] = shown
        self._of[shown] = name, key
        return shown

    def full(self, shown: str) -> str:
        """A name with its id behind it, whether that is shown or not."""
        name, key = self._of.get(shown, (shown, ""))
        return f"{name} ({key})" if key else shown

    def forms(self, shown: str) -> tuple[str, ...]:
        """What somebody may be called: the name in the export, that with its id behind it, and the id."""
        return (self._of[shown][0], self.full(shown), self._of[shown][1]) if shown in self._of else (shown,)

    def namesakes(self, shown: str) -> set[str]:
        """Names that are shown for all who have the same name in the export."""
        name = self.forms(shown)[0].casefold()
        return {other for other, (others_name, _) in self._of.items() if others_name.casefold() == name}
