"""Who may send requests: this machine, this page, and whoever has the token. All others are refused unread.

Another site's page in the same browser could send requests to a server on this machine: directly (Origin or
Sec-Fetch-Site give it away), or by letting its own name resolve to 127.0.0.1 (DNS rebinding: Host gives it away).
"""

import hmac
import ipaddress
import socket
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfchatbot.web.address import is_loopback
from selfchatbot.web.connections import KNOWN
from selfchatbot.web.openai_schema import ApiError

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Guard:
    """An ASGI middleware. ``open_paths`` need no token: the files of the page, which contain no data.

    ``secret_paths``, which may grow, need none either: they can't be guessed.

    ``allowed_hosts`` are names of this server that it can't know, such as that of a proxy before it.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        token: str | None,
        open_paths: tuple[str, ...],
        allowed_hosts: Collection[str] = (),
        secret_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._token = token
        self._open_paths = open_paths
        self._secret_paths = secret_paths
        names = {*LOOPBACK, host.lower(), *(name.lower().rstrip(".") for name in allowed_hosts)}
        if not is_loopback(host):
            names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self._names = names
        # A literal address is no name that somebody could let resolve to this machine.
        self._any_address = not is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], scope["path"], headers)
        if refusal is None and (self._token is None or self._has_token(headers)):
            scope[KNOWN] = True
        await (refusal.response() if refusal else self._app)(scope, receive, send_guarded)

    def _refusal(self, method: str, path: str, headers: Headers) -> ApiError | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_ours(host):
            return ApiError(
                403, "this server does not answer to that name (Host header): see --allow-host", "permission_error"
            )
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return ApiError(403, "requests from other pages are refused (Origin header)", "permission_error")
        site = headers.get("sec-fetch-site", "none")
        # Any page may link to this one.
        followed_link = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not followed_link:
            return ApiError(403, "requests from other pages are refused (Sec-Fetch-Site header)", "permission_error")
        is_open = path in self._open_paths or path in self._secret_paths
        if self._token is not None and not is_open and not self._has_token(headers):
            return ApiError(
                401, "the token is missing or wrong (Authorization: Bearer ...)", param=None, code="invalid_api_key"
            )
        return None

    def _is_ours(self, host_header: str) -> bool:
        if host_header.startswith("["):
            name, bracket, port = host_header[1:].partition("]")
            port = port.removeprefix(":") if bracket else "?"
        else:
            name, _, port = host_header.partition(":")
        if port and not port.isdecimal():
            return False
        if name.lower().rstrip(".") in self._names:
            return True
        if not self._any_address:
            return False
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        right = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), right)
