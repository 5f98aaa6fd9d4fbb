"""Messages in chronological order, whatever the order in the file: the times decide."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from datetime import datetime
from itertools import chain, islice, pairwise
from operator import itemgetter

from selfchatbot.messages import Message
from selfchatbot.preprocessors.reading.json_stream import CutShortError
from selfchatbot.preprocessors.reading.reverse import Row, oldest_first

HEAD_MESSAGES = 500
"""Messages at the start of a file that show whether it is newest first."""
MAX_DELAY_MESSAGES = 300
"""How far a message may be from its place in time."""


def is_newest_first(times: Iterable[float] | Iterable[datetime]) -> bool:
    """Whether more steps between successive times go back than forward. Equal times don't count."""
    steps: Iterator[int] = ((later < earlier) - (later > earlier) for earlier, later in pairwise(times))  # type: ignore[operator]
    return sum(steps) > 0


def oldest_to_newest(rows: Iterable[Row], whole: bool = False) -> Iterator[Row]:
    """Sort ``rows`` by their first value, a time (UTC) as a number. Rows with equal times keep their order.

    Files that are newest first are reversed with the help of a temporary file. Rows that are at most
    `MAX_DELAY_MESSAGES` late are moved to their place, so that only some hundred rows are in memory. With ``whole``,
    all rows are read before the first one is yielded. A CutShortError is raised after the last row before it.
    """
    cut: list[CutShortError] = []
    rows = _up_to_the_cut(rows, cut)
    head = list(islice(rows, HEAD_MESSAGES))
    newest_first = is_newest_first(row[0] for row in head)
    ordered: Iterator[Row] = chain(head, rows)
    del head
    if newest_first:
        ordered = oldest_first(ordered)
    elif whole:
        ordered = oldest_first(oldest_first(ordered))
    waiting: list[Row] = []
    while more := list(islice(ordered, MAX_DELAY_MESSAGES)):
        waiting += more
        waiting.sort(key=itemgetter(0))
        yield from waiting[:-MAX_DELAY_MESSAGES]
        del waiting[:-MAX_DELAY_MESSAGES]
    yield from waiting
    if cut:
        raise cut[0]


def chronological(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages of one file, reversed if it is newest first, and otherwise unchanged.

    For local times. They are not sorted, because clocks go back by an hour in autumn.
    """
    messages = iter(messages)
    head = list(islice(messages, HEAD_MESSAGES))
    newest_first = is_newest_first(message.timestamp for message in head)
    ordered = chain(head, messages)
    del head
    if not newest_first:
        yield from ordered
        return
    rows = ((message.timestamp.isoformat(), *astuple(message)[1:]) for message in ordered)
    for time, *rest in oldest_first(rows):
        yield Message(datetime.fromisoformat(time), *rest)


def _up_to_the_cut(rows: Iterable[Row], cut: list[CutShortError]) -> Iterator[Row]:
    try:
        yield from rows
    except CutShortError as error:
        cut.append(error)
