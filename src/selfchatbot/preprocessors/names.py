"""Names that are shown for accounts and chats which an export tells apart by their ids."""


class Names:
    """One name for each id, and never one name for two: a later one gets its id behind it.

    The first name that is seen with an id stays, whatever the account is called later.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, key: str, name: str | None) -> str:
        """The name for an id; ``name`` is what the export calls it here, None for a deleted account."""
        if (known := self._by_id.get(key)) is not None:
            return known
        shown = name or key
        # Two that differ in case only would both be "me": names in parameters.json are compared without case.
        if shown.casefold() in self._taken:
            shown = f"{shown} ({key})"
        self._taken.add(shown.casefold())
        self._by_id[key] = shown
        return shown
