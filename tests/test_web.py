"""The API of ``-t web``, with OpenAI's own client and with what no client would send; and who is turned away."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from conftest import Run, one_line_error
from web_server import SlowPlayer, serving, tiny_player

from selfchatbot.parameters import GenerationParameters
from selfchatbot.session.game import Game
from selfchatbot.web.stop_sequences import StopSequences

HEY = [{"role": "user", "content": "hey, how are you doing?"}]
GREEDY = {"messages": HEY, "model": "Zoë", "temperature": 0}


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


def openai_client(address: str, token: str = "anything") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=token, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def client(address: str) -> openai.OpenAI:
    return openai_client(address)


def ask(
    address: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One plain request, JSON if it has a body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    kind = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method or ("GET" if body is None else "POST"), path, body, {**kind, **(headers or {})})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


def completion_body(**changes: object) -> bytes:
    return json.dumps({**GREEDY, **changes}).encode()


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["Zoë"]
    assert client.models.retrieve("Zoë").owned_by == "me"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-4o")
    assert raised.value.code == "model_not_found"


def test_a_completion_is_what_the_player_says(client: openai.OpenAI, player: SlowPlayer) -> None:
    completion = client.chat.completions.create(**GREEDY)
    assert completion.object == "chat.completion"
    assert completion.model == "Zoë"
    choice = completion.choices[0]
    assert (choice.index, choice.message.role) == (0, "assistant")
    parameters = player.parameters.model_copy(update={"temperature": 0.0})
    chunks = list(player.chunks(HEY, parameters=parameters))
    assert choice.message.content == "".join(chunk.text for chunk in chunks)
    assert choice.finish_reason == chunks[-1].finish_reason
    assert completion.usage.prompt_tokens == len(player.prompt(HEY))
    assert completion.usage.completion_tokens == chunks[-1].tokens
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_the_stream_says_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**GREEDY)
    chunks = list(client.chat.completions.create(**GREEDY, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage
    assert len(chunks) > 5


def test_max_tokens_and_its_newer_name(client: openai.OpenAI) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        completion = client.chat.completions.create(**GREEDY, **{name: 3})
        assert completion.usage.completion_tokens == 3
        assert completion.choices[0].finish_reason == "length"


def test_seed_temperature_and_top_p(client: openai.OpenAI) -> None:
    def said(**options: object) -> str:
        return client.chat.completions.create(**{**GREEDY, **options}).choices[0].message.content

    assert said(temperature=1.5, seed=7) == said(temperature=1.5, seed=7)
    assert said(temperature=1.5, seed=-7) != said(temperature=1.5, seed=8)
    assert said(temperature=1.5, top_p=0) == said()
    assert said(temperature=1.5, extra_body={"top_k": 1}) == said()


def test_several_choices(client: openai.OpenAI) -> None:
    asked = {**GREEDY, "temperature": 1.5, "seed": 3, "n": 3}
    completion = client.chat.completions.create(**asked)
    texts = [choice.message.content for choice in completion.choices]
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**asked, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


def test_a_reply_is_the_best_of_some(
    client: openai.OpenAI, player: SlowPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "parameters", player.parameters.model_copy(update={"best_of": 2}))
    parameters = player.parameters.model_copy(update={"temperature": 1.5})
    best, other = [chunk for chunk in player.chunks(HEY, 2, parameters, 3) if chunk.text]
    asked = {**GREEDY, "temperature": 1.5, "seed": 3}
    completion = client.chat.completions.create(**asked)
    assert completion.choices[0].message.content == best.text != other.text
    assert completion.usage.completion_tokens == best.tokens
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content] == [best.text]
    assert chunks[-1].choices[0].finish_reason == best.finish_reason


def test_stop_sequences_end_the_reply_before_them(client: openai.OpenAI) -> None:
    text = client.chat.completions.create(**GREEDY).choices[0].message.content
    middle = len(text) // 2
    stop = text[middle : middle + 6]
    for stops in (stop, ["never said", stop]):
        completion = client.chat.completions.create(**GREEDY, stop=stops)
        assert completion.choices[0].message.content == text[: text.index(stop)]
        assert completion.choices[0].finish_reason == "stop"
        chunks = client.chat.completions.create(**GREEDY, stop=stops, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text[: text.index(stop)]


def test_stop_sequences_may_come_in_pieces() -> None:
    for size in range(1, 8):
        stops = StopSequences(["\n\n", "END."])
        text = "one\ntwo E EN END.three"
        said = "".join(stops.feed(text[place : place + size]) for place in range(0, len(text), size)) + stops.rest()
        assert said == "one\ntwo E EN "
    stops = StopSequences(["END."])
    assert stops.feed("the EN") + stops.rest() == "the EN"


def test_system_messages_and_parts(client: openai.OpenAI) -> None:
    system = [{"role": "developer", "content": "be short"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": HEY[0]["content"]}]}]
    first, second = (
        client.chat.completions.create(**{**GREEDY, "messages": m}).usage for m in (system + HEY, system + parts)
    )
    assert first == second
    assert first.prompt_tokens != client.chat.completions.create(**GREEDY).usage.prompt_tokens


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "secret words"}, "messages"),
        ({"messages": [{"role": "robot", "content": "secret words"}]}, "messages.0.role"),
        ({"messages": [*HEY, {"role": "assistant", "content": "secret words"}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "text": "secret words"}]}]}, None),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "secret words"}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 9}, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_wrong_requests_name_the_field(client: openai.OpenAI, changes: dict[str, object], param: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{**GREEDY, **changes})
    assert raised.value.type == "invalid_request_error"
    if param:
        assert raised.value.param == param
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "body", "headers", "method", "status"),
    [
        ("/v1/nothing", None, {}, "GET", 404),
        ("/../../etc/passwd", None, {}, "GET", 404),
        ("/v1/chat/completions", None, {}, "GET", 405),
        ("/v1/chat/completions", completion_body(), {"Content-Type": "text/plain"}, "POST", 415),
        ("/v1/chat/completions", b"{", {}, "POST", 400),
        ("/v1/chat/completions", b"", {}, "POST", 400),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}', {}, "POST", 400),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\\ud800"}]}', {}, "POST", 400),
        ("/v1/chat/completions", b"[" * 100_000, {}, "POST", 400),
        ("/v1/chat/completions", completion_body(user="x" * 5_000_000), {}, "POST", 413),
    ],
)
def test_errors_have_openai_s_shape(
    address: str, path: str, body: bytes | None, headers: dict[str, str], method: str, status: int
) -> None:
    found, _, content = ask(address, path, body, headers, method)
    assert found == status, content
    error = json.loads(content)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]


def test_a_body_without_a_length_is_bounded_too(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    chunks = iter([b"x" * 2**20] * 6)
    try:
        connection.request("POST", "/v1/chat/completions", chunks, {"Content-Type": "application/json"})
    except (BrokenPipeError, ConnectionResetError):  # answered before the end was read
        pass
    else:
        assert connection.getresponse().status == 413
    connection.close()


def test_a_long_message_is_answered(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "what about you? " * 2**16}]  # 1 MiB
    completion = client.chat.completions.create(**{**GREEDY, "messages": long, "max_tokens": 8})
    assert completion.choices[0].message.content
    assert completion.usage.prompt_tokens < 512


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


def test_a_token_is_demanded_where_there_is_one(player: SlowPlayer) -> None:
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
        # Under any address of this machine, but under no name of others.
        assert ask(address, "/", headers={"Host": "192.168.1.5:8642"})[0] == 200
        assert ask(address, "/", headers={"Host": "evil.example"})[0] == 403


def test_thirty_two_clients_at_once_are_all_answered(client: openai.OpenAI) -> None:
    def one(number: int) -> tuple[int, str]:
        messages = [{"role": "user", "content": f"hey {number}"}]
        completion = client.chat.completions.create(model="x", messages=messages, temperature=0, max_tokens=8)
        return number, completion.choices[0].message.content

    with ThreadPoolExecutor(32) as clients:
        together = dict(clients.map(one, range(32)))
    assert all(together.values())
    # Nobody got another's answer.
    for number in (0, 9, 31):
        assert together[number] == one(number)[1]


def wait_until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
    assert condition()  # type: ignore[operator]


def begin(address: str, **changes: object) -> socket.socket:
    """A request on a plain connection, of which nothing is read."""
    body = completion_body(**changes)
    connection = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port))
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


@pytest.fixture
def slow(tiny_model: Path) -> Iterator[SlowPlayer]:
    """A player that needs a second for ten chunks."""
    player = tiny_player(tiny_model)
    player.parameters = player.parameters.model_copy(update={"best_of": 2})  # where there is chance
    player.seconds = 0.1
    return player


def test_a_client_that_leaves_stops_its_reply(slow: SlowPlayer) -> None:
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


def test_the_game_tells_what_is_real_only_after_a_guess(player: SlowPlayer, tmp_path: Path) -> None:
    reply = "well it was quite a long day"
    line = {"messages": [*HEY, {"role": "assistant", "content": reply}]}
    (tmp_path / "test.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    with serving(player, game=Game(player, tmp_path, tmp_path, "best", seed=3)) as address:
        assert json.loads(ask(address, "/about")[2])["game"] is True
        this = json.loads(ask(address, "/game/round", b"{}")[2])
        assert set(this) == {"id", "context", "a", "b"} and this["context"] == HEY
        assert reply in (this["a"], this["b"]) and this["a"] != this["b"]
        for wrong, status in ((b"[]", 400), (b'{"id": []}', 400), (b'{"id": 7, "side": "a"}', 404), (b"{", 400)):
            assert ask(address, "/game/guess", wrong)[0] == status
        guess = {"id": this["id"], "side": "c"}
        assert ask(address, "/game/guess", json.dumps(guess).encode())[0] == 400
        guess["side"] = "a" if this["a"] == reply else "b"
        status, _, content = ask(address, "/game/guess", json.dumps(guess).encode())
        told = json.loads(content)
        assert (status, told["right"], told["real"]) == (200, True, guess["side"])
        assert told["score"].startswith("1 of 1 right")
        assert ask(address, "/game/guess", json.dumps(guess).encode())[0] == 404
        assert ask(address, "/game/round", b"{}")[0] == 404
    assert reply not in (tmp_path / "game.jsonl").read_text(encoding="utf-8")


def test_a_full_line_says_429_and_who_leaves_makes_room(slow: SlowPlayer) -> None:
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


def test_slow_and_silent_clients_hold_nobody(slow: SlowPlayer) -> None:
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


def test_what_fails_in_the_model_is_told_and_the_next_is_answered(slow: SlowPlayer) -> None:
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


def test_without_the_extra_the_command_that_brings_it_is_named(environment: Path, results: Path) -> None:
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
        while piece := connection.recv(65536):
            answers[-1] += piece
        connection.close()
    # Each client was told; none was cut without a word.
    assert all(b"HTTP/1.1 " in answer for answer in answers)
    assert any(b"the server is stopping" in answer for answer in answers)
