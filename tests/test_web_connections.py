"""Clients that send or read nothing, slowly or too much delay nobody."""

import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from web_server import GREEDY, SlowPlayer, ask, begin, completion_body, openai_client, serving, slow_player, wait_until

from selfchatbot.web import connections
from selfchatbot.web.server import SHUTDOWN_SECONDS


@pytest.fixture
def slow(tiny_model: Path) -> SlowPlayer:
    return slow_player(tiny_model)


def test_slow_and_silent_clients_delay_nobody(slow: SlowPlayer) -> None:
    slow.seconds = 0
    with serving(slow) as address:
        host = (urlsplit(address).hostname, urlsplit(address).port)
        silent = [socket.create_connection(host) for _ in range(50)]
        for connection in silent[:25]:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        for connection in silent[25:]:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b'Content-Length: 1000\r\n\r\n{"mess'
            )
        deaf = [begin(address, stream=True, max_tokens=100) for _ in range(4)]
        started = time.monotonic()
        assert openai_client(address).chat.completions.create(**GREEDY).choices[0].message.content
        assert time.monotonic() - started < 20
        for connection in silent + deaf:
            connection.close()


def opened(address: str, count: int, data: bytes = b"") -> list[socket.socket]:
    """Connections that have sent ``data`` and no more."""
    found = [socket.create_connection((urlsplit(address).hostname, urlsplit(address).port)) for _ in range(count)]
    for connection in found:
        connection.sendall(data)
    return found


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed it; what it has sent is read."""
    connection.settimeout(0.01)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


HALF = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


HALF_BODY = HALF + b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"mess'


@pytest.mark.parametrize("data", [b"", HALF, HALF_BODY, b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_there_is_always_a_place(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(connections, "MAX_WAITING", 20)
    with serving(slow) as address:
        held = opened(address, 60, data)
        assert ask(address, "/about")[0] == 200
        wait_until(lambda: sum(map(is_closed, held)) >= 40)
        if not data.startswith(b"GET"):  # those begin to wait when they have been answered
            assert not any(map(is_closed, held[-15:]))  # the oldest go first
        ended = time.monotonic()
    assert time.monotonic() - ended < SHUTDOWN_SECONDS  # nobody waits for half a request


def test_who_has_had_no_answer_yet_goes_last(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_WAITING", 3)
    with serving(slow) as address:
        (waiting,) = opened(address, 1, HALF)
        answered = []
        for _ in range(6):
            answered += opened(address, 1, b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answered[-1].recv(1)
        wait_until(lambda: sum(map(is_closed, answered)) >= 4)
        assert not is_closed(waiting)


def test_who_has_the_token_keeps_the_place(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_WAITING", 20)
    with serving(slow, token="correct-horse-battery") as address:
        asked = b"GET /about HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
        known = opened(address, 5, asked % b"correct-horse-battery")
        wait_until(lambda: all(connection.recv(1) for connection in known))
        strangers = opened(address, 100, asked % b"wrong-horse-battery-x")
        wait_until(lambda: sum(map(is_closed, strangers)) >= 80)
        assert not any(map(is_closed, known))


@pytest.mark.parametrize("data", [b"", HALF, HALF_BODY, b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_who_sends_nothing_more_is_left(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(connections, "WAIT_SECONDS", -0.5)
    with serving(slow) as address:
        (connection,) = opened(address, 1, data)
        started = time.monotonic()
        while not is_closed(connection):  # a byte now and then is no request
            with suppress(ConnectionError):
                connection.sendall(b"X" if data else b"")
            assert time.monotonic() - started < 20
            time.sleep(0.05)


def test_who_reads_nothing_is_left(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.seconds = 0
    with serving(slow) as address:
        monkeypatch.setattr(connections, "WAIT_SECONDS", 0.5)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect((urlsplit(address).hostname, urlsplit(address).port))
        request = b"GET /chat.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with suppress(ConnectionError, TimeoutError):
            deaf.settimeout(20)
            while True:
                deaf.sendall(request * 1_000)
        with pytest.raises((ConnectionError, TimeoutError)):
            deaf.sendall(request * 1_000)
        assert ask(address, "/about")[0] == 200


def test_long_stop_sequences_and_messages_hold_nobody_up(slow: SlowPlayer) -> None:
    slow.seconds = 0
    with serving(slow) as address:
        for stop in ("a" * 10**6, ["a" * 10**5] * 4, ["ab"] * 10**5):
            assert ask(address, "/v1/chat/completions", completion_body(stop=stop))[0] == 400
        short = ask(address, "/v1/chat/completions", completion_body())[2]
        assert ask(address, "/v1/chat/completions", completion_body(stop=["b" * 1000] * 16))[0] == 200
        assert short
        many = [{"role": "user", "content": f"{number}: " + "x" * 380} for number in range(9_999)]
        names = [{"role": "user", "content": "".join(f"n{number}: hi\n" for number in range(300_000))}]
        for messages in ([{"role": "user", "content": "x" * 4_000_000}], many, names):
            started = time.monotonic()
            body = completion_body(messages=messages, max_tokens=3)
            assert ask(address, "/v1/chat/completions", body)[0] == 200
            assert time.monotonic() - started < 15


def test_half_a_large_body_delays_large_ones_only(slow: SlowPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.seconds = 0
    large = completion_body(messages=[{"role": "user", "content": "x y " * 30_000}], max_tokens=2)
    head = HALF + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(large)
    with serving(slow) as address:
        held = opened(address, 16, head + large[:100_000])
        waiting = opened(address, 1, head + large)[0]
        assert ask(address, "/v1/chat/completions", completion_body(max_tokens=2))[0] == 200
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        held[0].sendall(large[100_000:])
        waiting.settimeout(20)
        assert waiting.recv(12) == b"HTTP/1.1 200"
