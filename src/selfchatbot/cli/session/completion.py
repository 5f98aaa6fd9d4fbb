"""Tab completion of commands and of their contacts, parameters and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from selfchatbot.display import visible_line

if TYPE_CHECKING:
    from selfchatbot.cli.session.commands import Commands

PATH_COMMANDS = ("/save", "/load")


class CommandCompleter(Completer):
    """Completes lines that begin with a slash, and nothing else."""

    def __init__(self, commands: Callable[[], Commands | None]) -> None:
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        commands = self._commands()
        text = document.text_before_cursor
        if commands is None or not text.startswith("/") or "\n" in text:
            return
        name, space, rest = text.partition(" ")
        if space and name in PATH_COMMANDS:
            for path in self._paths.get_completions(Document(rest, len(rest)), complete_event):
                yield Completion(path.text, path.start_position, display=visible_line(path.display_text))
            return
        words = commands.arguments(name) if space else commands.names()
        for word in words:
            typed = rest if space else name
            if word.casefold().startswith(typed.casefold()):
                help_text = commands.help_of(word)
                yield Completion(word, -len(typed), display=visible_line(word), display_meta=help_text)
