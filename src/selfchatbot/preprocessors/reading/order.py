"""Messages in the order of time, however an app writes its file: the times tell, nothing is taken for granted."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from datetime import datetime
from itertools import chain, islice, pairwise
from operator import itemgetter

from selfchatbot.messages import Message
from selfchatbot.preprocessors.reading.json_stream import CutShortError
from selfchatbot.preprocessors.reading.reverse import Row, oldest_first

HEAD = 500
"""Messages whose times show the direction of a file."""
WINDOW = 300
"""Messages among which a late one finds its place."""


def is_newest_first(times: Iterable[float] | Iterable[datetime]) -> bool:
    """Whether more of the steps between successive times go back than forward; equal times say nothing."""
    steps: Iterator[int] = ((later < earlier) - (later > earlier) for earlier, later in pairwise(times))  # type: ignore[operator]
    return sum(steps) > 0


def oldest_to_newest(rows: Iterable[Row], whole: bool = False) -> Iterator[Row]:
    """``rows``, which begin with a number for their time (UTC), by that time; equal ones keep their order.

    A file that is written newest first is turned round in a temporary file. Rows that are a little late, by up to
    `WINDOW`, are moved to their place, so that memory holds some hundred only. With ``whole``, all rows have been read
    when the first one is given. A CutShortError is raised behind the last row that came before it.
    """
    cut: list[CutShortError] = []
    rows = _up_to_the_cut(rows, cut)
    head = list(islice(rows, HEAD))
    newest_first = is_newest_first(row[0] for row in head)
    ordered: Iterator[Row] = chain(head, rows)
    del head
    if newest_first:
        ordered = oldest_first(ordered)
    elif whole:
        ordered = oldest_first(oldest_first(ordered))
    waiting: list[Row] = []
    while more := list(islice(ordered, WINDOW)):
        waiting += more
        waiting.sort(key=itemgetter(0))
        yield from waiting[:-WINDOW]
        del waiting[:-WINDOW]
    yield from waiting
    if cut:
        raise cut[0]


def chronological(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages of one file, turned round if it is written newest first; their order is kept otherwise.

    For times of a wall clock, which goes back by an hour in autumn: nothing is sorted by them.
    """
    messages = iter(messages)
    head = list(islice(messages, HEAD))
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
