"""Logs that somebody pasted into a message: their lines look like headers, their times and authors don't fit."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

LONGEST_LOG = 500
"""Headers; a message of Discord holds at most 4,000 characters."""


class Header(NamedTuple):
    """The first line of a message."""

    time: datetime
    author: str
    opens: bool = False
    """Whether it is the first of an export."""


def pasted(headers: Iterable[tuple[int, Header]], surplus: int | None, authors: Counter[str]) -> set[int]:
    """The numbers of the pasted ones among ``headers``, which come oldest first.

    ``surplus`` is how many headers are too many, None when the export doesn't state its number of messages; then only
    jumps back by more than a day that return are taken for pasted logs. Where it is known, smaller jumps and authors
    who wrote nothing else are candidates as well, the less likely only as long as there are not more than that.
    """
    ranks: list[set[int]] = [set(), set(), set(), set()]
    limit = LONGEST_LOG if surplus is None else min(surplus, LONGEST_LOG)
    run: list[int] = []
    rank = 0
    anchor = datetime.min
    for number, (time, author, opens) in headers:
        if authors[author] == 1:
            ranks[3].add(number)
        if opens or time >= anchor or len(run) >= limit:
            # Another export begins, time returns, or it went back for good.
            if not opens and time >= anchor:
                ranks[rank].update(run)
            run, anchor = [], time
        else:
            if not run:
                jump = anchor - time
                rank = 0 if jump > timedelta(days=1) else 1 if jump > timedelta(hours=1) else 2
            run.append(number)
    if surplus is None:
        return ranks[0]
    ranks[rank].update(run)
    found: set[int] = set()
    for candidates in ranks:
        if len(found | candidates) > surplus:
            break  # more candidates than pasted headers: which they are, only the author could tell
        found |= candidates
    return found
