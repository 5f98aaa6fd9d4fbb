"""Times that exports write as numbers since 1970 or as ISO 8601, as milliseconds of UTC."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1)
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999
"""The milliseconds of the years 1 and 9999."""
FRACTION = re.compile(r"(\.\d{6})\d+")
MILLISECOND = timedelta(milliseconds=1)


def milliseconds(value: object, unit: int = 1) -> int:
    """A number, or a string of digits, in units of ``unit`` milliseconds. Raises ValueError for anything else."""
    if isinstance(value, str) and len(value) < 20 and value.removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not FIRST <= value * unit <= LAST:
        raise ValueError("no time")
    return round(value * unit)


def iso_milliseconds(value: object) -> int:
    """ISO 8601; without an offset it is taken for UTC. Raises ValueError for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("no time")
    # Some write seven or nine digits of a second.
    time = datetime.fromisoformat(FRACTION.sub(r"\1", value))
    try:
        return ((time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time) - EPOCH) // MILLISECOND
    except OverflowError as error:
        raise ValueError("no time") from error


def moment(time: int) -> datetime:
    """The naive UTC time of ``time`` milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=time)
