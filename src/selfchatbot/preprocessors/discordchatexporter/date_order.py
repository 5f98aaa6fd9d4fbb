"""Which of the first two numbers of a date is the day and which the month, for all files of a folder."""

from collections.abc import Callable, Iterable
from typing import Protocol

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.reading import dates
from selfchatbot.preprocessors.reading.archives import shown
from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence


class Dated(Protocol):
    """What a first look at a file whose dates are written as in a country showed."""

    path: ExportPath
    evidence: OrderEvidence | None
    order: Order | None
    first_date: str


def decide_orders(
    layouts: Iterable[Dated], date_order: Order | None, neighbours: Callable[[], Iterable[Dated]], key: str
) -> None:
    """Fix the order of day and month of each file, as `dates.decide_orders` says; ``date_order`` is what the user gave.

    ``neighbours`` are files to be asked as well where the dates of one don't tell, ``key`` names ``date_order`` to the
    user.

    Raises ParametersError for a file that can be read either way.
    """
    dated = [(layout, layout.evidence) for layout in layouts if layout.evidence is not None]
    asked = [evidence for _, evidence in dated]
    if date_order is None and any(evidence.decide() is None for evidence in asked):
        asked.extend(near.evidence for near in neighbours() if near.evidence is not None)
    for (layout, _), order in zip(dated, dates.decide_orders(asked, date_order), strict=False):
        if order is None:
            first = shown(layout.first_date)
            raise ParametersError(
                f"{layout.path}: its dates can be day/month as well as month/day (first: [{first}]): "
                f'set {key} to "dmy" or "mdy"'
            )
        layout.order = order
