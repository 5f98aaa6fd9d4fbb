"""Where the server listens. Loads nothing heavy: a port in use is said before the model is loaded."""

import errno
import ipaddress
import socket

from selfchatbot.errors import SelfChatBotError, UsageError

BACKLOG = 512


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: any free one.

    Raises SelfChatBotError for a port in use, and UsageError for an address that can't be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SelfChatBotError(f"port {port} is in use: choose another with --port") from error
        reason = error.strerror or str(error)
    except (OverflowError, UnicodeError) as error:
        reason = str(error)
    raise UsageError(f"can't listen on {host}, port {port} ({reason}): correct --host or --port")
