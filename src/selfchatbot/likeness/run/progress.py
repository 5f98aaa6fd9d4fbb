"""Callbacks that report progress."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Called with the number of units of work that are done, and their total."""
OnStep = Callable[[str, int, int], None]
"""The same, with the name of the step first."""
