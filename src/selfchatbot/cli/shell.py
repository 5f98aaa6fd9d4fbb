"""What the three scripts share: how a run ends, whatever happens in it."""

import argparse
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from selfchatbot.concurrency import left_running
from selfchatbot.distributed import rank, speaks
from selfchatbot.errors import SelfChatBotError

INTERRUPTED = 130
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""No space, or none left of one's quota."""
LOADING = "loading the model"
"""What is said meanwhile."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} ({self.prog} --help explains the options)\n")


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """An argument parser with the option that all three scripts need."""
    arguments = _Parser(prog=prog, description=description)
    arguments.add_argument(
        "-d", "--dataset", required=True, metavar="ID", help="the ID in the dataset's folder name, Dataset_<ID>_<Name>"
    )
    return arguments


def printable(text: str) -> str:
    """``text`` without control characters: a model must not move the cursor or set a title."""
    return "".join(
        character if character in "\n\t" or character.isprintable() or ord(character) > 0x9F else "\ufffd"
        for character in text
    )


def run(stage: Callable[[], None]) -> int:
    """Run a stage; whatever goes wrong becomes one line on stderr and an exit code.

    2: wrong usage or parameters, 1: a run that failed, 130: Ctrl-C. Set SELFCHATBOT_DEBUG to see tracebacks.
    """
    # A service, or `<&-`, may start it without one of them.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    # What people chat holds every character there is; a Windows console may not.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of `selfchatbot.cli.scripts`
            signal.signal(signal.SIGINT, signal.default_int_handler)
        stage()
        # A full disk behind `> file` shows itself only now; at exit it would be a traceback.
        sys.stdout.flush()
    except SelfChatBotError as error:
        return _fail(str(error), error.exit_code)
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt as interrupt:
        if rank():
            return 0  # how a run of several processes was stopped, the first one says
        print(f"\n{interrupt}" if str(interrupt) else "\ninterrupted", file=sys.stderr)
        return int(getattr(interrupt, "exit_code", INTERRUPTED))
    except BrokenPipeError:
        # The reader of our output has gone (`| head`).
        _drop_output()
        return 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as error:
        _drop_output()
        if error.errno in FULL:
            return _fail(f"the disk is full{_at(error)}: free some space and run the same command again", 1)
        return _fail(f"{error.strerror or error}{_at(error)}", 1)
    except MemoryError:
        return _fail("out of memory: close other programs, or lower max_length in parameters.json", 1)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119
        return _fail(
            f"unexpected {type(error).__name__} at {place}: this is a mistake of selfchatbot; "
            "set SELFCHATBOT_DEBUG=1 and run again for the details to report",
            1,
        )
    return 0


def leave(code: int) -> NoReturn:
    """End the process, at once where a model is still being loaded, or computes."""
    if left_running():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _at(error: OSError) -> str:
    return f" ({error.filename})" if error.filename else ""


def _fail(message: str, code: int) -> int:
    if not speaks():
        return code
    if os.environ.get("SELFCHATBOT_DEBUG"):
        traceback.print_exc()
    # Names of files and people hold every character there is, line ends as well.
    line = "".join(character if character.isprintable() else " " for character in message)
    print(f"error: {line}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Forget what can't be printed: Python would complain again when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
