"""llama.cpp's HTTP server, in this process (package `xllamacpp`), and the connections to it.

Requests go over HTTP and not through `Server.handle_completions`, because only HTTP responses hold the ids of tokens
that are part of a character, as in most emoji. The server listens on 127.0.0.1 only and requires a random key.
"""

import http.client
import json
import os
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError


class LlamaCppServer:
    """A running server for one GGUF file. Raises SelfChatBotError when llama.cpp can't load the file.

    It keeps ``slots`` sequences of ``window`` tokens each. ``exact`` caches keys and values in float32, not float16.
    """

    def __init__(self, gguf: Path, slots: int, window: int, threads: int | None = None, exact: bool = False) -> None:
        import xllamacpp

        self._key = secrets.token_urlsafe(32)
        self._connections = threading.local()
        parameters = _settings(gguf, slots, window, threads or physical_cores(), exact)
        parameters.api_keys = [self._key]
        try:
            self._server = xllamacpp.Server(parameters)
        except Exception as error:
            raise SelfChatBotError(f"llama.cpp can't load {gguf} ({type(error).__name__})") from error
        self.address: str = self._server.listening_address.removeprefix("http://")
        # A server that is destroyed before its loop has begun waits for itself; the loop answers this request.
        self.request("/lora-adapters", None)

    def trained_positions(self) -> int:
        """The number of positions that the model was made for."""
        return int(self.request("/v1/models", None)["data"][0]["meta"]["n_ctx_train"])

    def request(self, path: str, body: dict[str, Any] | None) -> Any:
        """The server's answer, over one connection per thread. Raises SelfChatBotError when it refuses the request."""
        connection = getattr(self._connections, "one", None)
        try:
            status, answer = self._exchange(path, body)
        except ConnectionError:
            # llama.cpp closes a connection that has been idle for some seconds.
            if connection is None:
                raise
            status, answer = self._exchange(path, body)
        if status != 200:
            raise SelfChatBotError(f"llama.cpp refused a request ({status})")
        return answer

    def _exchange(self, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        """Status and answer of one request, over the open connection or a new one."""
        connection = getattr(self._connections, "one", None)
        if connection is None:
            connection = self._connections.one = http.client.HTTPConnection(self.address)
        try:
            connection.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except BaseException:  # Ctrl-C too: the rest of a half-read answer must not be taken for the next one
            connection.close()
            self._connections.one = None
            raise
        return response.status, answer


def uses_gpu() -> bool:
    """Whether this build of llama.cpp found a GPU that it can use."""
    import xllamacpp

    return any("gpu" in str(device["type"]).lower() for device in xllamacpp.get_device_info())


def physical_cores() -> int:
    """CPU cores that this process may use, without hyper-threads, which gain nothing here."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))


def _settings(gguf: Path, slots: int, window: int, threads: int, exact: bool) -> Any:
    """The server's `CommonParams`."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gguf)
    parameters.n_ctx = slots * window
    parameters.n_parallel = slots
    parameters.cache_ram_mib = 0
    if not uses_gpu():
        # On a CPU, this halves the time to read a message after a long history.
        parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if exact:
        parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.warmup = False
    parameters.verbosity = 0
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.cors_origins = ""
    parameters.endpoint_slots = False
    parameters.ui = False
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    return parameters
