"""DiscordChatExporter CSV (``-f Csv``, .csv), since 2.5.

Grammar: ``CsvMessageWriter.cs``. Up to 2.15 with ``;`` and one more at the end of each line, then with ``,``; the
author's id since 2.15; dates as in the .txt up to 2.42, then ISO 8601. Kinds of messages are not marked.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.discordchatexporter.jsonfile import CUT_SHORT, LOOKED_AT, utc
from selfchatbot.preprocessors.discordchatexporter.message_body import without_notice
from selfchatbot.preprocessors.media import by_url
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, orders, parse, shape
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.reading.reverse import Row, oldest_first
from selfchatbot.preprocessors.reading.unique_names import Names

HEAD = re.compile(r"(?:AuthorID([,;]))?Author([,;])Date[,;]Content[,;]Attachments[,;]?(?:Reactions;?)?")
ISO = re.compile(r"\d{4}-\d\d-\d\dT")
OWN_PACKAGE = "ID,Timestamp,Contents"


@dataclass(slots=True)
class Table:
    """What `scan_table` found out about one file."""

    path: ExportPath
    evidence: OrderEvidence | None = None
    """None: there is no message in the file, or the dates are ISO 8601."""
    order: Order | None = None
    rows: int = 0
    """How many were looked at."""
    first_date: str = ""
    last_date: str = ""
    """Of those that were looked at."""
    cut_short: bool = False

    @property
    def opening(self) -> datetime:
        """When the first message in the file was sent."""
        return self.time(self.first_date, 1) or datetime.max

    @property
    def newest_first(self) -> bool:
        return self.rows > 1 and self.opening > (self.time(self.last_date, self.rows) or datetime.max)

    def time(self, date: str, number: int) -> datetime | None:
        """The time of the message of that ``number``."""
        if ISO.match(date):
            return utc(date, self.path, number)
        return parse(date, self.order) if self.order else None


def scan_table(path: ExportPath) -> Table:
    """How the dates of a file are written: where it depends on the country, only all of them tell.

    Raises ExportError for what is no such export.
    """
    table = Table(path)
    for _, _, date, *_ in _rows(table):
        table.rows += 1
        table.first_date = table.first_date or date
        table.last_date = date
        if ISO.match(date):
            if table.rows == LOOKED_AT:
                break
            continue
        if table.evidence is None:
            if not (found := shape(date)):
                raise ExportError(
                    f'{path}: "Date" holds no dates that are known: export it again without a date format'
                )
            table.evidence = OrderEvidence(found)
        table.evidence.add(date)
    if table.evidence is not None and len(orders(table.evidence.shape)) == 1:
        table.order = orders(table.evidence.shape)[0]
    return table


def read_table(table: Table, chat: str, names: Names, files: list[ExportFile]) -> Iterator[Message]:
    """The messages of one file, oldest first."""
    file = ExportFile(path=table.path, chat=chat)
    files.append(file)
    rows = _rows(table)
    for number, author, date, written, attachments in oldest_first(rows) if table.newest_first else rows:
        file.messages += 1
        time = table.time(date, file.messages)
        if time is None:
            raise ExportError(f"{file.path}, message {file.messages:,}: its date is unlike the others: export it again")
        file.cover(time)
        content, media = without_notice(written, by_url(attachments.partition(",")[0]) if attachments else "")
        if content or media:
            yield Message(time, names.of(number, author) if number else author, content, chat, media=media)
    if table.cut_short:
        file.notes.append(CUT_SHORT)


def _rows(table: Table) -> Iterator[Row]:
    """The author's id (or None), author, date, content and attachments of each message, in file order."""
    path = table.path
    lines = decoded_lines(path)
    head = next(lines, "")
    columns = HEAD.fullmatch(head)
    if columns is None:
        if head.startswith(OWN_PACKAGE):
            raise ExportError(
                f"{path} is from Discord's own data package, which has only your messages: export the channel with "
                f"DiscordChatExporter, and remove this file"
            )
        raise ExportError(
            f'{path}: no CSV of DiscordChatExporter, expected a first line like "AuthorID,Author,Date,Content": export '
            f"the channel again, or remove the file"
        )
    with_id = 1 if columns[1] else 0
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=columns[2], strict=True)
    short = 0
    try:
        for row in rows:
            if short:
                raise ExportError(f"{path}, line {short + 1:,}: too few columns: export it again")
            if len(row) < with_id + 4:
                # Only the last row of a killed export may be like this.
                short = rows.line_num if row else 0
                continue
            yield row[0] if with_id else None, *row[with_id : with_id + 4]
    except csv.Error as error:
        if "end of data" not in str(error):
            raise ExportError(f"{path}, line {rows.line_num + 1:,}: no valid CSV: export it again") from error
        short = rows.line_num
    table.cut_short = short > 0
