"""Dates as chat apps write them: in the order, calendar, digits and words of somebody's country.

A date is first reduced to its *shape* (``1/5/2023 3:04 PM`` -> ``0/0/0000 0:0P``). All dates of one file share a shape;
which of its fields is the day and which the month is decided for the file as a whole, from the evidence in it.

`forms` knows what dates look like, `periods` the words for the parts of the day, `evidence` decides the order of day
and month.
"""

from selfchatbot.preprocessors.reading.dates.evidence import OrderEvidence, ambiguous_order, decide_orders
from selfchatbot.preprocessors.reading.dates.forms import (
    ERAS,
    MONTHS,
    Order,
    era,
    half_day,
    normalise,
    orders,
    parse,
    shape,
    wall_clock,
)

__all__ = [
    "ERAS",
    "MONTHS",
    "Order",
    "OrderEvidence",
    "ambiguous_order",
    "decide_orders",
    "era",
    "half_day",
    "normalise",
    "orders",
    "parse",
    "shape",
    "wall_clock",
]
