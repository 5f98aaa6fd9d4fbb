"""How one file is written: its dates, the gaps between its messages, and which lines are message headers."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.discordchatexporter.header_footer import RULES, Frame, body, is_header
from selfchatbot.preprocessors.discordchatexporter.pasted import Header, pasted
from selfchatbot.preprocessors.names import DISCRIMINATOR
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, orders, parse, shape
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.reverse import oldest_first

TAGS = frozenset({"{Attachments}", "{Embed}", "{Stickers}", "{Reactions}", "{Forwarded Message}"})
CUT_OFF = re.compile(r"\[[^\]]*\]? ?|=+")

Part = tuple[Header, list[str]]
"""A message header and the lines below it, up to the next header."""


@dataclass(slots=True)
class Layout:
    """What `scan` found out about one file."""

    path: ExportPath
    frame: Frame = field(default_factory=Frame)
    evidence: OrderEvidence | None = None
    """None: there is no message in the file."""
    order: Order | None = None
    old_headers: bool = False
    """Whether the author stands before the date, as up to 2.5."""
    gap: int = 1
    """Blank lines that stand before a message at least."""
    bare_attachments: bool = False
    """Whether links to attachments stand below the text without a tag, as up to 2.13."""
    first_date: str = ""
    headers: int = 0

    @property
    def declared(self) -> int | None:
        """The number of messages that the file states."""
        return self.frame.declared

    @property
    def grouped(self) -> bool:
        """Whether one header stands for several messages of an author, as up to 2.7."""
        return self.frame.counts_in_head and self.headers < (self.declared or 0)

    @property
    def unfinished(self) -> bool:
        """Whether the end is missing. With one blank line between messages it may be 2.16, which wrote none."""
        ended = self.frame.ends >= self.frame.heads or self.frame.counts_in_head
        return not ended and (self.evidence is None or self.gap == 2)

    @property
    def opening(self) -> datetime:
        """When the first message in the file was sent."""
        return (self.order and parse(self.first_date, self.order)) or datetime.max

    @property
    def newest_first(self) -> bool:
        return self.evidence is not None and self.order is not None and self.evidence.newest_first(self.order)

    def pasted_headers(self) -> set[int]:
        """Which headers, counted from 0, belong to logs that somebody pasted into a message."""
        if self.evidence is None or self.headers == self.declared:
            return set()
        authors = Counter(header.author for header, _ in parts(self, set()))
        surplus = None if self.declared is None or self.grouped else authors.total() - self.declared
        if surplus is not None and surplus <= 0:
            return set()
        headers: Iterator[tuple[int, Header]] = enumerate(header for header, _ in parts(self, set()))
        if self.newest_first:
            rows = ((number, header.time.isoformat(), *header[1:]) for number, header in headers)
            headers = ((row[0], Header(datetime.fromisoformat(row[1]), *row[2:])) for row in oldest_first(rows))
        return pasted(headers, surplus, authors)


@dataclass(slots=True)
class _Seen:
    """What `scan` collects about the candidates of one kind and shape."""

    old: bool
    evidence: OrderEvidence
    first_date: str
    gaps: Counter[int] = field(default_factory=Counter)
    """How many have one and how many have more blank lines before them."""
    anyhow: int = 0
    """Those behind reactions, where only one blank line stands, and those that open an export."""

    def headers(self, gap: int) -> int:
        return self.anyhow + sum(count for blank, count in self.gaps.items() if blank >= gap)


def candidate(line: str) -> tuple[str, str] | None:
    """Date and author of ``line`` as a possible header: ``[date] author``, with ``(pinned)`` taken off."""
    date, separator, author = line[1:].partition("] ")
    if not separator or not author.strip() or "[" in date:
        return None
    return date, author.removesuffix(" (pinned)")


def old_candidate(line: str) -> tuple[str, str] | None:
    """Date and author of ``line`` as a possible header of 2.5 and before: ``author#1234 [date]``."""
    author, separator, date = line[:-1].rpartition(" [")
    author = author.removesuffix(" ")
    return (date, author) if separator and DISCRIMINATOR.search(author) else None


def scan(path: ExportPath) -> Layout:
    """Look through a file and find out how it is written.

    All of it, before it is read: the order of day and month, and the number that it states, may show only at its end.
    That costs 0.2 s per 100,000 messages.

    Raises ExportError for what is no such export.
    """
    layout = Layout(path)
    seen: dict[tuple[bool, str], _Seen] = {}
    empty, tagged, crowded = True, False, 0
    before: list[str] = []
    last_date, date_shape = "", None
    for blank, lines, opens in body(decoded_lines(path), layout.frame):
        if not lines:
            continue
        empty = False
        if not layout.frame.heads:
            crowded += sum(map(is_header, lines[1:]))
        line = lines[0]
        pair = None
        old = False
        if line[0] == "[":
            pair = candidate(line)
        elif line[-1] == "]":
            pair, old = old_candidate(line), True
        elif line in TAGS:
            tagged = True
        if pair is not None:
            date = pair[0]
            if date != last_date:
                last_date, date_shape = date, shape(date)
            if date_shape is None:
                before = lines
                continue
            one = seen.get((old, date_shape))
            if one is None:
                one = seen[old, date_shape] = _Seen(old, OrderEvidence(date_shape), date)
            one.evidence.add(date)
            if opens or _ends_in_reactions(before):
                one.anyhow += 1
            else:
                one.gaps[min(blank, 2)] += 1
        before = lines
    if seen:
        _choose(layout, list(seen.values()))
    elif layout.frame.hides_messages:
        raise ExportError(
            f'{path}: the line of 62 "=" before the first message is missing: put it there, or export the channel again'
        )
    elif empty and not layout.frame.heads:
        raise ExportError(f"{path} is empty: export the channel again, or remove the file")
    if (not seen and not empty) or crowded > layout.headers:
        found = "its messages stand without blank lines between them" if seen else "there is no message in it"
        raise ExportError(
            f"{path} is no plain text of DiscordChatExporter ({found}), expected a line like "
            f'"[1/5/2023 3:04 PM] name" behind a blank line: export with the format TXT, or remove the file'
        )
    layout.bare_attachments = layout.frame.counts_in_head and not tagged
    return layout


def parts(layout: Layout, rejected: set[int]) -> Iterator[Part]:
    """The messages of a file in file order: header and lines below it; ``rejected`` headers stay text."""
    if layout.evidence is None or layout.order is None:
        return
    date_shape, order, gap, old = layout.evidence.shape, layout.order, layout.gap, layout.old_headers
    mark, read = (-1, old_candidate) if old else (0, candidate)
    bracket = "]" if old else "["
    current: Header | None = None
    text: list[str] = []
    before: list[str] = []
    number = -1
    last_date: str = ""
    time: datetime | None = None
    for blank, lines, opens in body(decoded_lines(layout.path), Frame()):
        if lines and lines[0][mark] == bracket and (found := read(lines[0])):
            if found[0] != last_date:
                last_date = found[0]
                time = parse(last_date, order) if shape(last_date) == date_shape else None
            if time is not None and (blank >= gap or opens or _ends_in_reactions(before)):
                number += 1
                if number not in rejected:
                    if current is not None:
                        text.extend([""] * blank)
                        yield current, text
                    current, text, before = Header(time, found[1], opens), lines[1:], lines
                    continue
        text.extend([""] * blank)
        text.extend(lines)
        before = lines
    if current is not None:
        yield current, text if layout.frame.ends else _without_torn_end(text, gap if layout.headers > 1 else 1)


def _ends_in_reactions(lines: list[str]) -> bool:
    return len(lines) > 1 and lines[-2] == "{Reactions}"


def _without_torn_end(text: list[str], gap: int) -> list[str]:
    """Take off the header, the end or the section of which a killed export wrote only a piece.

    Nothing is torn where as many blank lines follow as behind a message that is whole.
    """
    end = len(text)
    while end and not text[end - 1]:
        end -= 1
    start = end
    while start and text[start - 1]:
        start -= 1
    last = text[start:end]
    if len(text) - end >= gap:
        return text
    if len(last) == 1 and start >= gap and not any(text[start - gap : start]) and CUT_OFF.fullmatch(last[0]):
        return text[:start]
    if len(last) == 2 and last[0] in RULES and last[1][:9] == "Exported "[: len(last[1])]:
        return text[:start]
    tagged = [index for index in range(end) if text[index] in TAGS and (index == 0 or not text[index - 1])]
    if len(last) == 1 and any(tag.startswith(last[0]) for tag in TAGS):
        tagged.append(start)
    return text[: tagged[-1]] if tagged else text


def _choose(layout: Layout, seen: list[_Seen]) -> None:
    """Take the kind of header that occurs most, and the gap that fits the stated number or occurs most."""
    chosen = max(seen, key=lambda one: one.headers(0))
    plain = sum(chosen.gaps.values())
    layout.evidence = chosen.evidence
    layout.old_headers = chosen.old
    layout.gap = 2 if chosen.gaps[2] >= plain / 2 else 1
    for gap in (1, 2):
        if chosen.headers(gap) == layout.declared and chosen.headers(3 - gap) != layout.declared:
            layout.gap = gap
    layout.headers = chosen.headers(layout.gap)
    layout.first_date = chosen.first_date
    if len(orders(chosen.evidence.shape)) == 1:
        layout.order = orders(chosen.evidence.shape)[0]
