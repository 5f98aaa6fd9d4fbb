"""rich's console for text of other people: nothing in it is markup, and everything in it is visible."""

from typing import Any

from rich.console import Console as RichConsole
from rich.text import Text

from selfchatbot.display import visible


class Console(RichConsole):
    """Writes to stdout, or to stderr."""

    def __init__(self, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string on its way to the screen, in a table too; a `Text` is for the caller to make visible."""
        return super().render_str(visible(text), **options)

    def send(self, event: str, **values: Any) -> None:
        """Send an event to the program that started this one, see `events`. A terminal has none: nothing is sent."""
