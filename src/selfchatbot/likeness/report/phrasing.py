"""Figures as text."""

from selfchatbot.likeness.parts import Run
from selfchatbot.statistics import Interval


def number(interval: Interval | None, digits: int = 2) -> str:
    """``0.66 (.60–.72)``; empty for None."""
    if interval is None:
        return ""
    value, *ends = (f"{part:.{digits}f}" for part in (interval.value, interval.low, interval.high))
    return f"{value} ({'–'.join(end.removeprefix('0') if digits and interval.high < 1 else end for end in ends)})"


def percent(interval: Interval | None, digits: int = 0) -> str:
    """``66 % (60–72)``; empty for None."""
    if interval is None:
        return ""
    value, low, high = (100 * part for part in (interval.value, interval.low, interval.high))
    return f"{value:.{digits}f} % ({low:.{digits}f}–{high:.{digits}f})"


def share(value: float) -> str:
    """``3 %``, and with one decimal where the share is small: ``0.4 %``."""
    return f"{value:.1%}".replace("%", " %") if 0 < value < 0.0095 else f"{value:.0%}".replace("%", " %")


def of_10(value: float) -> str:
    """``6 of 10``."""
    return f"{10 * value:.0f} of 10"


def kinds(counts: dict[str, int], separator: str = ": ") -> str:
    """``phone numbers: 2, links: 1``."""
    return ", ".join(f"{kind.replace('_', ' ')}{separator}{count}" for kind, count in counts.items())


def now(run: Run, parameter: str) -> str:
    """`` (now 0.8)``, the value that a parameter had; empty where it isn't a number."""
    value = run.number(parameter)
    return "" if value is None else f" (now {value:g})"
