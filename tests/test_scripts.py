"""The console scripts, from their first moment on."""

import importlib.metadata
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from selfchatbot.cli.play_types import PLAY_TYPES
from selfchatbot.player.engines.select import ENGINE_NAMES

INTERRUPTED = """
import os, signal, sys

def interrupt(event, arguments):
    if event == "import" and arguments[0] == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(interrupt)
from selfchatbot.cli import scripts
getattr(scripts, sys.argv[1])()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("script", ["preprocess", "train", "play"])
@pytest.mark.parametrize("module", ["selfchatbot.cli.shell", "argparse"])
def test_ctrl_c_during_imports_leaves_no_traceback(script: str, module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, script, module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_ctrl_c_within_a_stage_is_one_line() -> None:
    code = (
        "from selfchatbot.cli import scripts, shell\n"
        "import os, signal, sys\n"
        "sys.exit(shell.run(lambda: os.kill(os.getpid(), signal.SIGINT)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "\ninterrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_closed_streams_are_empty_ones() -> None:
    code = "import sys; from selfchatbot.cli.shell import run; sys.exit(run(lambda: print(sys.stdin.read())))"
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(command, check=False).returncode == 0


def test_there_are_three_scripts() -> None:
    entries = importlib.metadata.entry_points(group="console_scripts").select(module="selfchatbot.cli.scripts")
    assert {entry.name: entry.attr for entry in entries} == {
        "selfChatBot_preprocess": "preprocess",
        "selfChatBot_train": "train",
        "selfChatBot_play": "play",
    }


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["-d", "1", "-t", "prompt"], 2), (["-t", "x"], 2)])
def test_help_and_wrong_usage_load_nothing_heavy(arguments: list[str], code: int) -> None:
    script = (
        "import sys\n"
        "from selfchatbot.cli.play import main\n"
        "try: main()\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pydantic', 'rich', 'starlette'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr


def test_the_readme_names_every_play_type_and_engine() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in PLAY_TYPES:
        assert f"`-t {name}`" in readme
    for name in ENGINE_NAMES:
        assert f"`{name}`" in readme or f"`--engine {name}`" in readme
