"""What goes wrong, said in one line to the person at the keyboard."""

import errno
from collections import Counter

NO_MEMORY = (
    *("allocate memory", "out of memory", "not enough memory", "bad_alloc"),
    *("failed to map", "unable to mmap", "start new thread"),
)
"""What libraries say where Python says MemoryError."""


def lacks_memory(error: BaseException | None) -> bool:
    """Whether too little memory is the reason of ``error``, or of what it was raised from."""
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(error, OSError | RuntimeError | ImportError) and any(part in words for part in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


class SelfChatBotError(Exception):
    """A run that failed. Its text is shown as it is, without a traceback."""

    exit_code = 1


class UsageError(SelfChatBotError):
    """Something to change on the command line, in the environment or in a parameters.json."""

    exit_code = 2


class ParametersError(UsageError):
    """A parameters.json that can't be used: names the file, the line or key, what was found, what is allowed."""


class UnknownMeError(ParametersError):
    """Nobody in a format's folder is known to be me. ``app`` is what people call it, ``senders`` the messages of each
    author there.
    """

    def __init__(self, message: str, format_name: str, app: str, senders: Counter[str]) -> None:
        super().__init__(message)
        self.format = format_name
        self.app = app
        self.senders = senders


class ExportError(SelfChatBotError):
    """An export file that can't be read: names the file, the place, what was found."""
