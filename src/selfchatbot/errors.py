"""What goes wrong, said in one line to the person at the keyboard."""

from collections import Counter


class SelfChatBotError(Exception):
    """A run that failed. Its text is shown as it is, without a traceback."""

    exit_code = 1


class UsageError(SelfChatBotError):
    """Something to change on the command line, in the environment or in a parameters.json."""

    exit_code = 2


class ParametersError(UsageError):
    """A parameters.json that can't be used: names the file, the line or key, what was found, what is allowed."""


class UnknownMeError(ParametersError):
    """Nobody in a format's folder is known to be me. ``senders``: the messages of each author there."""

    def __init__(self, message: str, format_name: str, senders: Counter[str]) -> None:
        super().__init__(message)
        self.format = format_name
        self.senders = senders


class ExportError(SelfChatBotError):
    """An export file that can't be read: names the file, the place, what was found."""
