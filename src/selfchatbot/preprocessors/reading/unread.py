"""Counts the lines that a format can't read, for a note to the user."""

from dataclasses import dataclass


@dataclass(slots=True)
class Unread:
    """Lines that look like the start of a message or of a day but can't be read."""

    count: int = 0
    first: int = 0
    """Line number of the first one."""

    def add(self, line: int) -> None:
        """Count a line by its number in the file."""
        if not self.count:
            self.first = line
        self.count += 1

    def notes(self) -> list[str]:
        """A note for the user, if there are any."""
        if not self.count:
            return []
        lines = "1 line looks" if self.count == 1 else f"{self.count:,} lines look"
        return [f"{lines} like the beginning of a message but can't be read, the first is line {self.first:,}"]
