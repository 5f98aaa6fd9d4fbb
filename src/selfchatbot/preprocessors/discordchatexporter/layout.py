"""How one file is written: its frame, its dates, the gaps between its messages, and which lines are message headers."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath, decoded_lines
from selfchatbot.preprocessors.dates import Order, OrderEvidence, orders, parse, shape

RULES = ("=" * 62, "=" * 48)
EXPORTED = re.compile(r"Exported ([\d.,'’\s\u00a0\u202f]+) message\(s\)")
COUNTED = re.compile(r"Messages:\s*([\d.,'’\s\u00a0\u202f]+)")
HEADER = re.compile(r"\[([^\[\]]{6,40})\] (\S.*)")
# Up to 2.5 the author came first.
OLD_HEADER = re.compile(r"(\S.*#\d{4}) {1,2}\[([^\[\]]{6,40})\]")
TAGS = {"{Attachments}", "{Embed}", "{Stickers}", "{Reactions}", "{Forwarded Message}"}
SEGMENT = 50_000


class Header(NamedTuple):
    """The first line of a message."""

    time: datetime
    author: str


Part = tuple[Header, list[str]]
"""A message header and the lines below it, up to the next header."""


class Candidate(NamedTuple):
    """A line that may be a message header."""

    date: str
    author: str
    old: bool
    """Whether the author stands before the date."""


@dataclass(slots=True)
class Layout:
    """What `scan` found out about one file."""

    path: ExportPath
    evidence: OrderEvidence | None = None
    """None: there is no message in the file."""
    order: Order | None = None
    old_headers: bool = False
    gap: int = 1
    """Blank lines that stand before a message at least."""
    framed: bool = False
    """Whether the file has a head or an end, so that it is an export and not a bare piece of one."""
    declared: int | None = None
    bare_attachments: bool = False
    first_date: str = ""
    last_date: str = ""
    headers: int = 0

    @property
    def earliest(self) -> datetime:
        times = [time for date in (self.first_date, self.last_date) if (time := self.time(date))]
        return min(times, default=datetime.max)

    @property
    def newest_first(self) -> bool:
        first, last = self.time(self.first_date), self.time(self.last_date)
        return first is not None and last is not None and first > last and self.headers > 1

    def time(self, date: str) -> datetime | None:
        return parse(date, self.order) if self.order else None

    def header(self, line: str, blank: int, after_reactions: bool) -> Header | None:
        """``line`` as a message header, if it is one in this file."""
        candidate = candidate_of(line, self.old_headers)
        if candidate is None or self.evidence is None or shape(candidate.date) != self.evidence.shape:
            return None
        if blank < (1 if after_reactions else self.gap) or (time := self.time(candidate.date)) is None:
            return None
        return Header(time, candidate.author)

    def pasted_headers(self) -> set[int]:
        """Which headers, counted from 0, belong to logs that somebody pasted into a message.

        Times that jump back by more than a day and return mark such a log; where the file states its number of
        messages, it says how many headers are too many, and then smaller jumps and unseen authors count as well.
        """
        if self.evidence is None or self.headers == self.declared:
            return set()
        headers = [header for header, _ in parts(self, set())]
        surplus = None if self.declared is None else len(headers) - self.declared
        if surplus is not None and surplus <= 0:
            return set()
        return _pasted([header if not self.newest_first else _mirrored(header) for header in headers], surplus)

    def segments_from_end(self, rejected: set[int]) -> Iterator[list[Part]]:
        """The messages of a file in file order, but in pieces from its end: never more than one piece in memory."""
        starts = range(0, max(self.headers, 1), SEGMENT)
        for start in reversed(starts):
            yield list(islice(parts(self, rejected), start, start + SEGMENT))


@dataclass(slots=True)
class _Seen:
    """What `scan` collects about the candidates of one shape."""

    evidence: OrderEvidence
    first: Candidate
    last: Candidate
    gaps: Counter[int] = field(default_factory=Counter)
    after_reactions: int = 0


def candidate_of(line: str, old: bool) -> Candidate | None:
    """``line`` as a possible header of one of the two kinds, ``(pinned)`` taken off."""
    if old:
        match = OLD_HEADER.fullmatch(line) if line.endswith("]") else None
        return Candidate(match[2], match[1], True) if match else None
    match = HEADER.fullmatch(line) if line.startswith("[") else None
    return Candidate(match[1], match[2].removesuffix(" (pinned)"), False) if match else None


def scan(path: ExportPath) -> Layout:
    """Read a file once and find out how it is written. Raises ExportError for what is no such export."""
    layout = Layout(path)
    seen: dict[tuple[bool, str], _Seen] = {}
    frame = _Frame(layout)
    empty, tagged = True, False
    for line, blank, after_reactions in _walk(_body(decoded_lines(path), layout)):
        empty = False
        frame.see(line)
        tagged = tagged or line in TAGS
        candidate = candidate_of(line, old=False) or candidate_of(line, old=True)
        if candidate is None or (not candidate.old and blank == 0) or not (found := shape(candidate.date)):
            continue
        one = seen.setdefault((candidate.old, found), _Seen(OrderEvidence(found), candidate, candidate))
        one.evidence.add(candidate.date)
        one.last = candidate
        if after_reactions:
            one.after_reactions += 1
        else:
            one.gaps[min(blank, 2)] += 1
    frame.end()
    if seen:
        _choose(layout, seen)
    elif empty and not layout.framed:
        raise ExportError(f"{path} is empty: export the channel again, or remove the file")
    elif not layout.framed:
        raise ExportError(
            f"{path}: no message of DiscordChatExporter plain text in it, expected lines like "
            f'"[1/5/2023 3:04 PM] name": export with the format TXT, or remove the file'
        )
    layout.bare_attachments = layout.bare_attachments and not tagged
    return layout


def parts(layout: Layout, rejected: set[int]) -> Iterator[Part]:
    """The messages of a file in file order: header and lines below it; ``rejected`` headers stay text."""
    current: Header | None = None
    body: list[str] = []
    number = -1
    for line, blank, after_reactions in _walk(_body(decoded_lines(layout.path), layout)):
        header = layout.header(line, blank, after_reactions)
        if header is not None:
            number += 1
            if number not in rejected:
                if current is not None:
                    yield current, body
                current, body = header, []
                continue
        body.extend([""] * blank)
        body.append(line)
    if current is not None:
        yield current, body


def _walk(lines: Iterable[str]) -> Iterator[tuple[str, int, bool]]:
    """Each line that is not blank, with the number of blank lines before it and whether reactions stand before it."""
    blank, before, last = 2, "", ""
    for line in lines:
        if not line:
            blank += 1
            continue
        yield line, blank, before == "{Reactions}"
        blank, before, last = 0, last, line


def _body(lines: Iterator[str], layout: Layout) -> Iterator[str]:
    """The lines below the head of the file, if it has one; what the head states goes into ``layout``."""
    first = next(lines, None)
    if first is None:
        return
    if first not in RULES:
        yield first
        yield from lines
        return
    layout.framed = True
    for line in lines:
        if line in RULES:
            break
        if match := COUNTED.fullmatch(line):
            layout.declared = _number(match[1])
            layout.bare_attachments = True
    yield from lines


class _Frame:
    """Finds ``Exported N message(s)`` between two rules at the end, or before the head of another export."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lines = ["", "", ""]
        self._closed: int | None = None

    def see(self, line: str) -> None:
        if self._closed is not None and line in RULES:
            self._count()
        self._closed = None
        self._lines = [*self._lines[1:], line]
        if self._lines[0] in RULES and line in RULES and (match := EXPORTED.fullmatch(self._lines[1])):
            self._closed = _number(match[1])

    def end(self) -> None:
        if self._closed is not None:
            self._count()

    def _count(self) -> None:
        self._layout.framed = True
        self._layout.declared = (self._layout.declared or 0) + (self._closed or 0)
        self._closed = None


def _choose(layout: Layout, seen: dict[tuple[bool, str], _Seen]) -> None:
    """Take the kind of header that occurs most."""
    (old, _), chosen = max(seen.items(), key=lambda item: sum(item[1].gaps.values()) + item[1].after_reactions)
    plain = sum(chosen.gaps.values())
    layout.evidence = chosen.evidence
    layout.old_headers = old
    if old:
        layout.gap = 0
    elif chosen.gaps[2] > plain / 2:
        layout.gap = 2
    layout.headers = chosen.after_reactions + sum(n for gap, n in chosen.gaps.items() if gap >= layout.gap)
    layout.first_date, layout.last_date = chosen.first.date, chosen.last.date
    if len(orders(chosen.evidence.shape)) == 1:
        layout.order = orders(chosen.evidence.shape)[0]


def _number(text: str) -> int:
    """A count with the thousands separators of any country."""
    return int(re.sub(r"\D", "", text) or 0)


def _mirrored(header: Header) -> Header:
    """A header on a time line that runs the other way, so that a newest-first file reads like any other."""
    return Header(datetime.min + (datetime.max - header.time), header.author)


def _pasted(headers: list[Header], surplus: int | None) -> set[int]:
    """See `Layout.pasted_headers`; ``surplus`` is how many headers are too many, None when nobody knows."""
    authors = Counter(header.author for header in headers)
    runs: list[tuple[int, range]] = []
    index = 1
    while index < len(headers):
        anchor = headers[index - 1].time
        end = index
        limit = 500 if surplus is None else surplus
        while end < len(headers) and headers[end].time < anchor and end - index <= limit:
            end += 1
        run = range(index, end)
        if run and end < len(headers) and headers[end].time >= anchor:
            jump = anchor - headers[index].time
            runs.append((0 if jump > timedelta(days=1) else 1 if jump > timedelta(hours=1) else 2, run))
            index = end
        else:
            if authors[headers[index].author] == 1:
                runs.append((3, range(index, index + 1)))
            index += 1
    if surplus is None:
        return {number for rank, run in runs if rank == 0 for number in run}
    pasted: set[int] = set()
    for rank in range(4):
        group = {number for run_rank, run in runs if run_rank == rank for number in run}
        if len(pasted) + len(group) > surplus:
            break  # more candidates than there are pasted headers: which, only the author could tell
        pasted |= group
    return pasted
