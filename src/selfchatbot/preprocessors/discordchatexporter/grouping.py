"""Which files belong to one channel, and which of them say the same twice."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.discordchatexporter.csvfile import Table
from selfchatbot.preprocessors.discordchatexporter.htmlfile import HtmlExport
from selfchatbot.preprocessors.discordchatexporter.jsonfile import JsonExport
from selfchatbot.preprocessors.discordchatexporter.layout import Layout

Export = Layout | JsonExport | HtmlExport | Table
KINDS = (".json", ".csv", ".html", ".txt")
"""The one that tells most comes first."""
# ExportRequest.cs: "Guild - Channel [id] (after 2024-01-01) [part 2].txt", up to 2.15 "Guild - Channel [2 of 3].txt"
FILE_NAME = re.compile(
    r"(?P<name>.*?(?: \[(?P<id>[0-9a-f]{8,20})\])?)"
    r"(?P<span> \((?:after |before )?\d{4}-\d\d-\d\d(?: to \d{4}-\d\d-\d\d)?\))?"
    r"(?: \[(?:part (?P<part>\d+)|(?P<number>\d+) of \d+)\])?",
    re.DOTALL,
)


class Channel(NamedTuple):
    """The files of one channel in chronological order."""

    name: str
    exports: list[Export]
    doubles: list[ExportPath]
    """Other kinds of the same exports, which are not read."""


def channels(exports: Iterable[Export], size: Callable[[Export], int]) -> Iterator[Channel]:
    """The channels by name; the same export in several kinds counts once, in the kind that has most messages.

    ``size`` counts the messages of an export.
    """
    found: dict[object, list[Export]] = {}
    ordered = sorted(exports, key=lambda export: (*_place(export), KINDS.index(_kind(export))))
    # A .json knows the id of its channel, whatever its file is called.
    ids = {_place(export): export.channel for export in ordered if isinstance(export, JsonExport)}
    for export in ordered:
        identity = ids.get(_place(export)) or _part(export, "id") or _place(export)
        found.setdefault(identity, []).append(export)
    for together in found.values():
        best = _best_kinds(together, size)
        kept = [export for export in together if best[_part(export, "span")] == _kind(export)]
        # Partitions come in the order of their times, which is that of their numbers unless newest is first.
        kept.sort(key=lambda export: (export.opening, int(_part(export, "part") or _part(export, "number") or 1)))
        doubles = [export.path for export in together if export not in kept]
        yield Channel(_part(together[0], "name") or together[0].path.stem, kept, doubles)


def _best_kinds(together: list[Export], size: Callable[[Export], int]) -> dict[str | None, str]:
    """For each span of time, the kind that has most messages."""
    by_span: dict[str | None, dict[str, list[Export]]] = {}
    for export in sorted(together, key=lambda export: KINDS.index(_kind(export))):
        by_span.setdefault(_part(export, "span"), {}).setdefault(_kind(export), []).append(export)
    return {
        span: max(kinds, key=lambda kind: sum(map(size, kinds[kind]))) if len(kinds) > 1 else next(iter(kinds))
        for span, kinds in by_span.items()
    }


def _kind(export: Export) -> str:
    return export.path.suffix.lower()


def _place(export: Export) -> tuple[str, str]:
    return str(export.path.parent), _part(export, "name") or ""


def _part(export: Export, group: str) -> str | None:
    match = FILE_NAME.fullmatch(export.path.stem)
    return match[group] if match else None
