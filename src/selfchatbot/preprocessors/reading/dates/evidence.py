"""Whether the day or the month comes first: what the dates of a file, and those of its neighbours, say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.dates.forms import Order, orders, parse

_FOREIGN = re.compile(r"\b(?:г|klo|à|às|um)\b|،")


@dataclass(slots=True)
class _Reading:
    impossible: int = 0
    backward: int = 0
    """Steps back by more than an hour: an hour back in autumn is no evidence."""
    earlier: int = 0
    """Steps back, small ones as well."""
    forward: int = 0
    last: datetime | None = None

    @property
    def disorder(self) -> int:
        """Steps against the direction of the file, be it oldest or newest first."""
        return min(self.backward, self.forward)


class OrderEvidence:
    """Collects, date by date, which order of day and month a file of one shape is written in."""

    def __init__(self, date_shape: str) -> None:
        self.shape = date_shape
        self._readings: dict[Order, _Reading] = {order: _Reading() for order in orders(date_shape)}
        self._last = ""
        self._seen = 0
        self._tomorrow = datetime.now() + timedelta(days=1)

    def add(self, text: str) -> None:
        """Take the next date of the file into account."""
        # A thousand show the direction of time; after them it is enough to look when the day changes, or the hour.
        if text == self._last or (self._seen > 1000 and text[:10] == self._last[:10]):
            return
        self._last = text
        self._seen += 1
        times = {order: self._time(text, order) for order in self._readings}
        if not any(times.values()):
            return  # such a day exists in no order, so it tells nothing
        for order, reading in self._readings.items():
            time = times[order]
            if time is None:
                reading.impossible += 1
                continue
            if reading.last is not None and time != reading.last:
                if time > reading.last:
                    reading.forward += 1
                else:
                    reading.earlier += 1
                    reading.backward += reading.last - time > timedelta(hours=1)
            reading.last = time

    def _time(self, text: str, order: Order) -> datetime | None:
        """What a date means in an order, None where that can't be."""
        time = parse(text, order)
        # With a year of two digits, 23/1/5 would be 2005 day first: older than the apps that write such dates.
        too_old = time is not None and len(self._readings) == 3 and time.year < 2009
        return None if time is None or time > self._tomorrow or too_old else time

    def proof(self) -> Order | None:
        """The only order in which all dates exist."""
        possible = [order for order, reading in self._readings.items() if not reading.impossible]
        return possible[0] if len(possible) == 1 else None

    def decide(self) -> Order | None:
        """The order that the file proves: the other one has impossible dates, or jumps back and forth in time."""
        if len(self._readings) == 1:
            return next(iter(self._readings))
        one, other = (self._readings[order] for order in ("dmy", "mdy"))
        if year_first := self._readings.get("ymd"):
            usual = not year_first.impossible and next(iter(self._readings)) == "ymd"
            if usual or min(one.impossible, other.impossible) > 10 * year_first.impossible:
                return "ymd"
        for quality in ("impossible", "disorder"):
            first, second = getattr(one, quality), getattr(other, quality)
            # Ten times: a pasted log may hold a few dates of another order.
            if second > 10 * first:
                return "dmy"
            if first > 10 * second:
                return "mdy"
        return None

    def guess(self) -> Order | None:
        """What is likely where nothing is proved.

        Day first with dots or hyphens and with words that English doesn't write there; else the order in which time
        goes forward; else month first with slashes and AM or PM.
        """
        if len(self._readings) == 1:
            return next(iter(self._readings))
        if re.match(r"0(?:\. ?0\.|-0-)", self.shape) or _FOREIGN.search(self.shape):
            return "dmy"
        forward: list[Order] = [order for order in ("dmy", "mdy") if not self._readings[order].backward]
        if len(forward) == 1:
            return forward[0]
        return "mdy" if self.shape.startswith("0/") and self.shape.endswith("P") else None

    def newest_first(self, order: Order) -> bool:
        """Whether the dates, read in this order, mostly go back in time."""
        return self._readings[order].earlier > self._readings[order].forward


def decide_orders(files: Sequence[OrderEvidence], given: Order | None = None) -> list[Order | None]:
    """The order of each of one person's files.

    What its own dates prove, else ``given``, else what they make likely, else what its neighbours prove, or its shape.
    None for a file of which nothing tells it.
    """
    found = [file.proof() or (given if given in orders(file.shape) else file.decide()) for file in files]
    proved: dict[str, set[Order]] = {}
    for file, order in zip(files, found, strict=True):
        if order is not None and len(orders(file.shape)) > 1:
            proved.setdefault(file.shape, set()).add(order)
    return [order or _likely(file, proved) for file, order in zip(files, found, strict=True)]


def ambiguous_order(path: ExportPath, first_date: str, format_name: str) -> ParametersError:
    """The error for a file whose dates fit day first and month first; ``first_date`` shows the user how they look."""
    return ParametersError(
        f"{path}: its dates can be day/month as well as month/day (first: {first_date}): "
        f'set preprocessor_data.{format_name}.date_order to "dmy" or "mdy"'
    )


def _likely(file: OrderEvidence, proved: dict[str, set[Order]]) -> Order | None:
    """What neighbours prove, as long as they don't contradict each other; those with dates of this shape come first."""
    alike, anywhere = proved.get(file.shape, set()), set[Order]().union(*proved.values())
    if len(alike) == 1:
        return next(iter(alike))
    return file.guess() or (next(iter(anywhere)) if len(anywhere) == 1 else None)
