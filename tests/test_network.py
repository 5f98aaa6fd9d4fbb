"""Nothing but the named model is asked for, and no native code is fetched, whatever is installed and a model says."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import edit_settings, write_training_data
from script_runner import run_function

from selfchatbot.parameters import GenerationParameters, hand_over

NAME = "Dataset_1_Zoë"
KERNELS = """
import os
with open(os.environ["RECORD"], "a") as record:
    record.write("kernels was imported\\n")


class Anything:
    def __init__(self, *arguments, **options):
        pass

    def __getattr__(self, name):
        return Anything()

    def __call__(self, *arguments, **options):
        return Anything()


def get_kernel(name, *arguments, **options):
    with open(os.environ["RECORD"], "a") as record:
        record.write(f"the kernel {name} was asked for\\n")
    raise OSError("no network")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Anything
"""
GUARDED = '''
import http.client, importlib.abc, os, signal, sys, json, threading, time

def guard(event, arguments):
    address = None
    if event == "socket.connect":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments[0]
    if address is None or "127.0.0.1" in str(address) or "localhost" in str(address):
        return
    with open(os.environ["RECORD"], "a") as record:
        record.write(f"{event} {address}\\n")
    raise OSError("no network")

def visit(port):
    """The page in a browser, then a program, then Ctrl-C."""
    try:
        for _ in range(600):
            try:
                http.client.HTTPConnection("127.0.0.1", port).connect()
                break
            except OSError:
                time.sleep(0.1)
        chat = {"messages": [{"role": "user", "content": "hey"}], "max_tokens": 4}
        for path, body in (("/", None), ("/about", None), ("/v1/chat/completions", chat), ("/game/round", {})):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            kind = {"Content-Type": "application/json"}
            sent = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, sent, kind)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise OSError(f"{path}: status {response.status}")
    except OSError as error:
        with open(os.environ["RECORD"], "a") as record:
            record.write(f"the page: {error}\\n")
    os.kill(os.getpid(), signal.SIGINT)

class Processor(importlib.abc.MetaPathFinder):
    """One with AVX512-BF16, for which bitsandbytes asks for a kernel."""
    def find_spec(self, name, path, target=None):
        if name == "bitsandbytes.backends.cpu.ops":
            sys.modules["bitsandbytes.functional"].has_avx512bf16 = lambda: True

sys.addaudithook(guard)
sys.meta_path.insert(0, Processor())
from selfchatbot.cli import scripts
failed = []
for script, *arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    if "web" in arguments:
        threading.Thread(target=visit, args=[int(arguments[-1])]).start()
    try:
        getattr(scripts, script)()
    except SystemExit as end:
        failed += [(script, arguments, end.code)] if end.code else []
print("failed:", failed, file=sys.stderr)
sys.exit(bool(failed))
'''


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a fake package `kernels`, which is on the path, and a guard of connections write to."""
    package = tmp_path / "packages"
    (package / "kernels").mkdir(parents=True)
    (package / "kernels" / "__init__.py").write_text(KERNELS, encoding="utf-8")
    information = package / "kernels-0.18.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.18.5\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package), prepend=":")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "record").touch()
    return tmp_path / "record"


@pytest.fixture
def commands(environment: Path, tiny_model: Path) -> list[list[str]]:
    """Every stage and method, with a model whose config names code of others."""
    model = shutil.copytree(tiny_model, environment / "model")
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config |= {"_attn_implementation": "kernels-community/flash-attn2", "_experts_implementation": "sonicmoe"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    raw = environment / "raw" / NAME / "JSONL"
    raw.mkdir(parents=True)
    prepared = write_training_data(environment / "prepared", model)
    shutil.copy(prepared / "train.jsonl", prepared / "test.jsonl")  # enough replies to evaluate
    (raw / "a.jsonl").write_bytes((prepared / "train.jsonl").read_bytes() * 3)
    training = {"epochs": 0.1, "evaluations_per_epoch": 1, "samples": 0, "choose_sampling": False}
    settings = {"model": str(model), "max_length": 128, "test_fraction": 0.4, "training": training}
    (raw.parent / "parameters.json").write_text(json.dumps(settings), encoding="utf-8")
    found = [["preprocess", "-d", "1"]]
    for number, method in enumerate(("fine_tune", "qlora", "lora"), 2):
        data = shutil.copytree(prepared, environment / "preprocessed" / f"Dataset_{number}_x")
        values = json.loads((data / "parameters.json").read_text(encoding="utf-8"))
        (data / "parameters.json").write_text(json.dumps({**values, **training, "type_fine_tune": method}))
        found.append(["train", "-d", str(number)])
    results = environment / "results" / "Dataset_4_x"
    results.mkdir(parents=True)
    hand_over(results, GenerationParameters.start_values(str(model), 128))
    edit_settings(results, max_new_tokens=40)  # training keeps it; an evaluation asks for nearly 200 replies
    for kind in (["prompt", "-p", "hey"], ["session"], ["export"], ["evaluate", "--contexts", "20"]):
        found.append(["play", "-d", "4", "-t", *kind])
    found.append(["play", "-d", "2", "-t", "game"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        found.append(["play", "-d", "4", "-t", "web", "--port", str(free.getsockname()[1])])
    return found


def guarded(commands: list[list[str]], folder: str) -> None:
    """In a process that has imported everything, without the package `kernels`."""
    os.chdir(folder)
    sys.argv = ["guarded", json.dumps(commands)]
    exec(GUARDED, {"__name__": "guarded"})


@pytest.mark.training
def test_nothing_is_asked_for(environment: Path, record: Path, commands: list[list[str]]) -> None:
    """In a process of its own: transformers looks for `kernels` when it is imported."""
    commands = [command for command in commands if "evaluate" not in command]
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, json.dumps(commands)],
        cwd=environment, capture_output=True, text=True, encoding="utf-8", input="", check=False,
    )  # fmt: skip
    expect_silence(done, record)


@pytest.mark.training
def test_nothing_is_asked_for_without_kernels(environment: Path, record: Path, commands: list[list[str]]) -> None:
    commands = [command for command in commands if command[0] == "train" or "evaluate" in command]
    shutil.rmtree(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    expect_silence(run_function(guarded, commands, str(environment)), record)


def expect_silence(done: "subprocess.CompletedProcess[str]", record: Path) -> None:
    assert record.read_text(encoding="utf-8") == ""
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kernels" not in done.stderr
