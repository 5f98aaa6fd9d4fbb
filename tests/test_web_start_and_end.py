"""``-t web`` as a command: a port in use, other machines, what is missing, and signals under load."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Run, one_line_error
from script_runner import start_script
from web_server import begin

from selfchatbot.parameters import GenerationParameters


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
    arguments = ["-d", "1", "-t", "web", "--port", "0"]
    with start_script("play", arguments, folder=environment, variables=variables) as process:
        line = process.first_line()
        assert line.startswith("Talk to Zoë at http://127.0.0.1:")
        address = line.split()[4].rstrip("/")
        connections = [begin(address, stream=stream, n=8, max_tokens=400) for stream in (True, False) * 6]
        connections[0].recv(1)
        started = time.monotonic()
        process.signal(number)
        done = process.done(30)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "error" not in done.stderr and "failed" not in done.stderr
    assert "The server has stopped." in done.stdout
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
