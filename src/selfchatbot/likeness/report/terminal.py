"""The summary of an evaluation in the terminal: the verdict, and a line for each measure."""

from rich.console import Console
from rich.table import Table

from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.verdict import verdict
from selfchatbot.likeness.result import Likeness
from selfchatbot.likeness.speakers import SPEAKER_NAMES


def print_summary(result: Likeness, console: Console) -> None:
    """The verdict, then figures with 95 % intervals in brackets."""
    console.print(verdict(result), style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("95 % intervals", no_wrap=True)
    for name in SPEAKER_NAMES.values():
        table.add_column(name.short, justify="right", no_wrap=True)
    for measure in MEASURES:
        if isinstance(measure, SpeakerMeasure) and (row := measure.summary) and (found := result.findings(measure)):
            cells = (row.text(found[speaker]) if speaker in found else "" for speaker in SPEAKER_NAMES)
            table.add_row(row.label, *cells)
    console.print(table)
