"""Which of the first two numbers of a date is the day and which the month, for all files of a folder."""

from collections.abc import Callable, Iterable
from typing import Protocol

from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.reading import dates
from selfchatbot.preprocessors.reading.archives import shown
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, ambiguous_order


class Dated(Protocol):
    """What a first look at a file whose dates are written as in a country showed."""

    path: ExportPath
    evidence: OrderEvidence | None
    order: Order | None
    first_date: str


def decide_orders(
    layouts: Iterable[Dated], date_order: Order | None, neighbours: Callable[[], Iterable[Dated]], format_name: str
) -> None:
    """Set ``order`` of each file, see `dates.decide_orders`. ``date_order`` is what the user gave.

    ``neighbours`` is only called when the dates of one file don't show their order. ``format_name`` is for the error.

    Raises ParametersError for a file that can be read either way.
    """
    dated = [(layout, layout.evidence) for layout in layouts if layout.evidence is not None]
    asked = [evidence for _, evidence in dated]
    if date_order is None and any(evidence.decide() is None for evidence in asked):
        asked.extend(near.evidence for near in neighbours() if near.evidence is not None)
    for (layout, _), order in zip(dated, dates.decide_orders(asked, date_order), strict=False):
        if order is None:
            raise ambiguous_order(layout.path, f"[{shown(layout.first_date)}]", format_name)
        layout.order = order
