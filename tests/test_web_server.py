"""The server of ``-t web``: who is refused, the queue, slow and lost clients, and how it starts and ends."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from conftest import Run, one_line_error
from web_server import GREEDY, SlowPlayer, ask, begin, completion_body, serving, tiny_player

from selfchatbot.parameters import GenerationParameters
from selfchatbot.web import connections
from selfchatbot.web.server import SHUTDOWN_SECONDS
from selfchatbot.web.worker import Job, QueueFull, Worker


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


def openai_client(address: str, token: str = "anything", **headers: str) -> openai.OpenAI:
    options = {"max_retries": 0, "timeout": 60, "default_headers": headers}
    return openai.OpenAI(base_url=f"{address}/v1", api_key=token, **options)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Host": "localhost:8642"}, True),
        ({"Host": "[::1]:1"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1.evil.example"}, False),
        ({"Host": "192.168.1.5"}, False),
        ({"Host": "localhost:80@evil.example"}, False),
        ({"Host": ""}, False),
        ({"Host": "localhost:8642", "Origin": "http://localhost:8642"}, True),
        ({"Host": "localhost:8642", "Origin": "http://localhost:3000"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
    ],
)
def test_other_pages_and_other_names_are_refused(address: str, headers: dict[str, str], allowed: bool) -> None:
    for path, body in (("/v1/models", None), ("/v1/chat/completions", completion_body(max_tokens=1)), ("/about", None)):
        status, answered, content = ask(address, path, body, headers)
        assert status == (200 if allowed else 403), content
        assert "access-control-allow-origin" not in answered


def test_the_page_is_guarded_and_can_be_linked_to(address: str) -> None:
    status, headers, content = ask(address, "/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"https://" not in content and b"http://" not in content
    assert ask(address, "/", headers={"Host": "evil.example"})[0] == 403


def test_a_token_is_required_if_there_is_one(player: SlowPlayer) -> None:
    with serving(player, token="correct-horse-battery", host="0.0.0.0") as address:
        assert openai_client(address, "correct-horse-battery").models.list().data[0].id == "Zoë"
        for wrong in ("correct-horse", "correct-horse-battery-staple"):
            with pytest.raises(openai.AuthenticationError):
                openai_client(address, wrong).chat.completions.create(**GREEDY)
        for path in ("/v1/models", "/about", "/v1/chat/completions", "/nothing"):
            status, headers, content = ask(address, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"horse" not in content
        assert ask(address, "/")[0] == ask(address, "/style.css")[0] == 200
        # By any address of this machine, but not by another site's name.
        assert ask(address, "/", headers={"Host": "192.168.1.5:8642"})[0] == 200
        assert ask(address, "/", headers={"Host": "evil.example"})[0] == 403


def test_other_names_can_be_allowed(player: SlowPlayer) -> None:
    with serving(player, allowed_hosts=["Host.Docker.Internal", "chat.example"]) as address:
        for host in ("host.docker.internal:8642", "HOST.docker.internal", "chat.example", "localhost"):
            assert ask(address, "/about", headers={"Host": host})[0] == 200
            assert ask(address, "/about", headers={"Host": host, "Origin": f"https://{host}"})[0] == 200
        for host in ("internal", "evil.chat.example", "docker.internal"):
            status, _, content = ask(address, "/about", headers={"Host": host})
            assert status == 403 and b"--allow-host" in content


def wait_until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
    assert condition()  # type: ignore[operator]


@pytest.fixture
def slow(tiny_model: Path) -> Iterator[SlowPlayer]:
    """A player that needs a second for ten chunks."""
    player = tiny_player(tiny_model)
    player.parameters = player.parameters.model_copy(update={"best_of": 2})  # where there is chance
    player.seconds = 0.1
    return player


def test_a_client_that_disconnects_stops_its_reply(slow: SlowPlayer) -> None:
    with serving(slow) as address:
        for stream, temperature in ((True, 0), (False, 0), (True, 1), (False, 1)):
            before = slow.made
            connection = begin(address, stream=stream, max_tokens=300, temperature=temperature)
            wait_until(lambda before=before: slow.made > before + 2)
            connection.close()
            time.sleep(0.5)
            made = slow.made
            time.sleep(1)
            assert slow.made == made


def test_a_full_queue_gives_429_until_a_client_disconnects(slow: SlowPlayer) -> None:
    with serving(slow, max_waiting=2) as address:
        client = openai_client(address, **{"User-Agent": ""})  # as `begin`, and so the same client
        connections = [begin(address, max_tokens=300)]
        wait_until(lambda: slow.made > 0)
        connections += [begin(address, stream=True), begin(address)]
        time.sleep(0.5)
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(**GREEDY)
        assert raised.value.code == "rate_limit_exceeded"
        assert "too many requests are waiting, 2 of them yours: try again later" in str(raised.value)
        assert raised.value.response.headers["Retry-After"]
        for connection in connections:
            connection.close()
        time.sleep(0.5)
        assert client.chat.completions.create(**GREEDY, max_tokens=2).choices[0].message.content


def test_another_client_takes_a_place_of_the_one_with_most(slow: SlowPlayer) -> None:
    with serving(slow, max_waiting=3) as address:
        first = begin(address, max_tokens=300)
        wait_until(lambda: slow.made > 0)
        many = []
        for tokens in (2, 40, 40):
            many.append(begin(address, max_tokens=tokens))
            time.sleep(0.2)  # in this order
        other = begin(address, agent="other", max_tokens=2)
        many[2].settimeout(10)
        answer = b""
        while not answer.endswith(b"}"):  # head and body may arrive one after the other
            part = many[2].recv(10_000)
            assert part, answer
            answer += part
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"too many requests are waiting, 2 of them yours: try again later" in answer
        first.close()
        other.settimeout(60)
        assert other.recv(10_000).startswith(b"HTTP/1.1 200 ")
        many[1].setblocking(False)
        with suppress(BlockingIOError):  # the other one had its turn before
            assert many[1].recv(10_000) == b""
        for connection in (*many, other):
            connection.close()


def test_clients_take_turns() -> None:
    done: list[str] = []

    async def run() -> list[int]:
        worker, go, given_way = Worker(4), threading.Event(), []

        def work(name: str) -> Generator[str, None, None]:
            go.wait(30)
            done.append(name)
            yield name

        async def wait(job: Job[str]) -> None:
            try:
                assert [item async for item in job.items()]
            except QueueFull as full:
                given_way.append(full.own)

        jobs = [worker.submit(lambda: work("x1"), "x")]
        await asyncio.sleep(0.2)  # it runs
        for name in ("a1", "a2", "a3", "a4", "b1", "c1", "d1"):
            jobs.append(worker.submit(lambda name=name: work(name), name[0]))
        with pytest.raises(QueueFull) as full:
            worker.submit(lambda: work("e1"), "e")
        assert full.value.own == 0
        go.set()
        await asyncio.gather(*map(wait, jobs))
        worker.stop()
        return given_way

    assert sorted(asyncio.run(run())) == [1, 2, 3]  # of a2, a3 and a4
    assert done == ["x1", "a1", "b1", "c1", "d1"]


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


def test_a_failure_of_the_model_is_reported_and_the_next_request_served(slow: SlowPlayer) -> None:
    slow.seconds = 0
    chunks = slow.chunks

    def failing(*arguments: object, **options: object) -> Iterator[object]:
        yield from list(chunks(*arguments, **options))[:3]
        raise RuntimeError("secret words")

    slow.chunks = failing  # type: ignore[method-assign,assignment]
    with serving(slow) as address:
        client = openai_client(address)
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(**GREEDY)
        assert "RuntimeError" in str(raised.value) and "secret" not in str(raised.value)
        with pytest.raises(openai.APIError, match="RuntimeError"):
            list(client.chat.completions.create(**GREEDY, stream=True))
        slow.chunks = chunks  # type: ignore[method-assign]
        assert client.chat.completions.create(**GREEDY).choices[0].message.content


@pytest.fixture
def results(environment: Path, tiny_model: Path) -> Path:
    """A results folder whose best/ is the tiny model as it is."""
    folder = environment / "results" / "Dataset_1_Zoë"
    shutil.copytree(tiny_model, folder / "best")
    parameters = GenerationParameters(model=str(tiny_model), max_length=512, max_new_tokens=400)
    (folder / "parameters.json").write_text(parameters.model_dump_json(), encoding="utf-8")
    return folder


def test_a_port_in_use_is_one_line(run: Run, results: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error = one_line_error(run("play", "-d", "1", "-t", "web", "--port", port), 1)
    assert f"port {port} is in use: choose another with --port" in error


def test_other_machines_need_a_token(run: Run, results: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5"):
        assert "--token" in one_line_error(run("play", "-d", "1", "-t", "web", "--host", host), 2)
    error = one_line_error(run("play", "-d", "1", "-t", "web", "--host", "no.such.host.invalid", "--token", "x"), 2)
    assert "no.such.host.invalid" in error
    assert "--port" in one_line_error(run("play", "-d", "1", "-t", "web", "--port", "70000"), 2)
    error = one_line_error(run("play", "-d", "1", "-t", "web", "--allow-host", "http://chat.example/"), 2)
    assert "http://chat.example/ is no name of a machine" in error


def test_without_the_extra_the_error_names_the_command_that_installs_it(environment: Path, results: Path) -> None:
    script = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv = ['play', '-d', '1', '-t', 'web'];"
        "from selfchatbot.cli.play import main; main()"
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("selfChatBot_")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=environment, env=variables, capture_output=True, text=True, check=False
    )
    assert "pip install uvicorn" in one_line_error(done, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_under_load_end_cleanly(environment: Path, results: Path, number: signal.Signals) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("selfChatBot_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "selfchatbot.cli.play", "-d", "1", "-t", "web", "--port", "0"],
        cwd=environment,
        env={**variables, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Talk to Zoë at http://127.0.0.1:")
    address = line.split()[4].rstrip("/")
    connections = [begin(address, stream=stream, n=8, max_tokens=400) for stream in (True, False) * 6]
    connections[0].recv(1)
    started = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr and "error" not in stderr and "failed" not in stderr
    assert "The server has stopped." in stdout
    assert time.monotonic() - started < 15
    answers = []
    for connection in connections[1:]:
        answers.append(b"")
        while part := connection.recv(65536):
            answers[-1] += part
        connection.close()
    # Each client got a response; no connection was just closed.
    assert all(b"HTTP/1.1 " in answer for answer in answers)
    assert any(b"the server is stopping" in answer for answer in answers)
