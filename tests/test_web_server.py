"""The server of ``-t web``: who is refused, the queue, slow and lost clients, and how it starts and ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from conftest import Run, one_line_error
from web_server import GREEDY, SlowPlayer, ask, begin, completion_body, serving, tiny_player

from selfchatbot.parameters import GenerationParameters


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


def openai_client(address: str, token: str = "anything") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=token, max_retries=0, timeout=60)


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
        client = openai_client(address)
        connections = [begin(address, max_tokens=300)]
        wait_until(lambda: slow.made > 0)
        connections += [begin(address, stream=True), begin(address)]
        time.sleep(0.5)
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(**GREEDY)
        assert raised.value.code == "rate_limit_exceeded"
        assert raised.value.response.headers["Retry-After"]
        for connection in connections:
            connection.close()
        time.sleep(0.5)
        assert client.chat.completions.create(**GREEDY, max_tokens=2).choices[0].message.content


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
