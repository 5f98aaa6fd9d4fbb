"""What a format meets in a file and can't read: it is counted, and the user is told."""

from dataclasses import dataclass


@dataclass(slots=True)
class Unread:
    """Lines that look like the beginning of a message, or of a day, and can't be read."""

    count: int = 0
    first: int = 0
    """The number of the first one in its file."""

    def add(self, line: int) -> None:
        """Count one more, given by its number in the file."""
        if not self.count:
            self.first = line
        self.count += 1

    def notes(self) -> list[str]:
        """What to tell about them, if there are any."""
        if not self.count:
            return []
        lines = "1 line looks" if self.count == 1 else f"{self.count:,} lines look"
        return [f"{lines} like the beginning of a message but can't be read, the first is line {self.first:,}"]
