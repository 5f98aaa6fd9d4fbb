"""Which of the first two numbers of a date is the day and which the month, for all files of a folder."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.dates import Order, OrderEvidence, orders


class Dated(Protocol):
    """What a first look at a file whose dates are written as in a country showed."""

    path: ExportPath
    evidence: OrderEvidence | None
    order: Order | None
    first_date: str


def decide_orders(
    layouts: Iterable[Dated], date_order: Order | None, neighbours: Callable[[], Iterable[Dated]], key: str
) -> None:
    """Fix the order of day and month of each file: what its dates prove, else ``date_order``, else what is likely.

    Likely is what the file itself suggests, then what other files of the folder prove, then what its shape suggests.
    ``neighbours`` gives files to be asked when no other one is there, ``key`` names ``date_order`` to the user.

    Raises ParametersError for a file that can be read either way.
    """
    proved: defaultdict[str, set[Order]] = defaultdict(set)
    undecided: list[Dated] = []
    for layout in layouts:
        if layout.evidence is None:
            continue
        possible = orders(layout.evidence.shape)
        order = layout.evidence.proof()
        if order is None and date_order in possible:
            layout.order = date_order
            continue
        layout.order = order or layout.evidence.decide()
        if layout.order is None:
            undecided.append(layout)
        elif len(possible) > 1:
            proved[layout.evidence.shape].add(layout.order)
    if undecided and not proved:
        for neighbour in neighbours():
            evidence = neighbour.evidence
            if evidence and len(orders(evidence.shape)) > 1 and (order := evidence.proof() or evidence.decide()):
                proved[evidence.shape].add(order)
    for layout in undecided:
        layout.order = _likely(layout, proved)
        if layout.order is None:
            raise ParametersError(
                f"{layout.path}: its dates can be day/month as well as month/day (first: [{layout.first_date}]): "
                f'set {key} to "dmy" or "mdy"'
            )


def _likely(layout: Dated, proved: dict[str, set[Order]]) -> Order | None:
    assert layout.evidence is not None
    alike, anywhere = proved.get(layout.evidence.shape, set()), set[Order]().union(*proved.values())
    if len(alike) == 1:
        return next(iter(alike))
    if guess := layout.evidence.guess():
        return guess
    return next(iter(anywhere)) if len(anywhere) == 1 else None
