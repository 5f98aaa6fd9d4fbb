"""What the three scripts share: options, the log on the screen, and how a run ends, whatever happens in it."""

import argparse
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from selfchatbot.concurrency import left_running
from selfchatbot.display import visible, visible_line
from selfchatbot.distributed import rank, speaks
from selfchatbot.errors import SelfChatBotError, lacks_memory

if TYPE_CHECKING:
    from rich.status import Status

INTERRUPTED_CODE = 130
"""The exit code after Ctrl-C, as shells have it."""
DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""No space on the disk, or none left in a quota."""


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, like every other error here."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {visible_line(message)} ({self.prog} --help explains the options)\n")


def parser(prog: str, description: str, needs_dataset: bool = True) -> argparse.ArgumentParser:
    """An argument parser with the option that all three scripts have."""
    arguments = _Parser(prog=prog, description=description)
    arguments.add_argument(
        "-d",
        "--dataset",
        required=needs_dataset,
        metavar="ID",
        help="the ID in the dataset's folder name, Dataset_<ID>_<Name>",
    )
    return arguments


def add_events_option(arguments: argparse.ArgumentParser) -> None:
    """The option of stages that another program can start, see `events`."""
    arguments.add_argument(
        "--events",
        action="store_true",
        help="for programs: print progress as lines of JSON, and stop, as after Ctrl-C, when stdin is closed",
    )


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """The ``type`` of an option that takes a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        number = int(text)
        if number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"at least {low}" if high is None else f"{low} to {high}")
        return number

    parse.__name__ = "integer"  # argparse names it: invalid integer value
    return parse


def text(value: str) -> str:
    """The ``type`` of an option that is written into a file."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{value} is not UTF-8 text") from None
    return value


def show_log(write: Callable[[str], object]) -> None:
    """Pass what selfchatbot logs to ``write``, line by line."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write(visible_line(record.getMessage()))

    logger = logging.getLogger("selfchatbot")
    logger.addHandler(Handler())
    logger.setLevel(logging.INFO)


def loading_status() -> "Status":
    """Shows on stderr that the model is being loaded, as long as the context is open."""
    from selfchatbot.cli.console import Console

    return Console(stderr=True).status("loading the model")


def say(text: str) -> None:
    """Print one or several lines, at once."""
    print(visible(text), flush=True)


def run(stage: Callable[[], None]) -> int:
    """Run a stage; whatever goes wrong becomes one line on stderr and an exit code.

    2: wrong usage or parameters, 1: a failed run, 130: Ctrl-C. With SELFCHATBOT_DEBUG set, tracebacks are shown.
    """
    # Conversations and models are private: whatever is written here, by any library, only its owner can read.
    os.umask(0o077)
    # A service manager, or `<&-` in a shell, may start the script without one of them.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    # Chats contain any character; a Windows console may not be able to show it.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by `selfchatbot.cli.scripts`
            signal.signal(signal.SIGINT, signal.default_int_handler)
        stage()
        # A full disk behind `> file` shows here; at exit it would be a traceback.
        sys.stdout.flush()
    except SelfChatBotError as error:
        return _fail(str(error), error.exit_code)
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt as interrupt:
        if rank():
            return 0  # the first of several processes reports it
        print(f"\n{visible_line(str(interrupt) or 'interrupted')}", file=sys.stderr)
        return int(getattr(interrupt, "exit_code", INTERRUPTED_CODE))
    except BrokenPipeError:
        # The reader of our output is gone (`| head`).
        _drop_output()
        return 128 + getattr(signal, "SIGPIPE", 13)
    except BaseException as error:  # what Rust raises is no Exception
        if lacks_memory(error):
            return _fail("out of memory: close other programs, or lower max_length in parameters.json", 1)
        if isinstance(error, OSError):
            _drop_output()
            if error.errno in DISK_FULL:
                return _fail(f"the disk is full{_file_of(error)}: free some space and run the same command again", 1)
            return _fail(f"{error.strerror or error}{_file_of(error)}", 1)
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119
        return _fail(
            f"unexpected {type(error).__name__} at {place}: this is a bug in selfchatbot; "
            "run again with SELFCHATBOT_DEBUG=1 to see the traceback, and report it",
            1,
        )
    return 0


def leave(code: int) -> NoReturn:
    """End the process, at once if a thread is still loading a model or computing."""
    if left_running():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _file_of(error: OSError) -> str:
    return f" ({error.filename})" if error.filename else ""


def _fail(message: str, code: int) -> int:
    if not speaks():
        return code
    if os.environ.get("SELFCHATBOT_DEBUG"):
        print(visible(traceback.format_exc()), file=sys.stderr)
    print(f"error: {visible_line(message)}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Discard what can't be printed, or Python would complain again when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
