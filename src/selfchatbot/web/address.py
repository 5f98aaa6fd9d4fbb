"""Where the server listens. Importing this is cheap, so that a port in use is reported before the model is loaded."""

import errno
import ipaddress
import socket

from selfchatbot.errors import SelfChatBotError, UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8642
BACKLOG = 512
"""Connections that the system queues."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises SelfChatBotError for a port in use, UsageError for an address that this machine doesn't have.
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
