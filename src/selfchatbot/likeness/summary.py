"""What an evaluation found, for the terminal: a sentence for everybody, and ten lines of figures."""

from rich.console import Console

from selfchatbot.likeness.result import Likeness


def print_summary(result: Likeness, console: Console) -> None:
    """The verdict, then a line for each measure, with 95 % intervals in brackets."""
    console.print(verdict(result), style="bold", soft_wrap=True)


def verdict(result: Likeness) -> str:
    """One or two sentences that need no statistics."""
    raise NotImplementedError
