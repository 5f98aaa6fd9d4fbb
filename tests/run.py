"""Format check, lint, types and tests, from a clean clone.

    python3 tests/run.py            everything, about ten minutes on two cores
    python3 tests/run.py --quick    two minutes: no training, no scripts, no browser, no embedded model, few examples

Other arguments go on to pytest, for example `--quick -k whatsapp` or `--cov=selfchatbot`. No test may depend on how
floating point rounds: to see that, repeat the run with ATEN_CPU_CAPABILITY=default (or avx2, avx512), with
ONEDNN_MAX_CPU_ISA=AVX2 and with OMP_NUM_THREADS=2.

This file keeps to syntax that old Pythons read, so that they can say which one is needed.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("error: Python 3.11 or newer is needed, this is {}.{}".format(*sys.version_info[:2]))

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "SampleEnvironment"))

from setup_venv import PYTHON, ROOT, ensure_venv, run

QUICK = ("-m", "not (training or process or browser or memory or model)", "--hypothesis-profile=quick")


def main():
    arguments = sys.argv[1:]
    quick = "--quick" in arguments
    if quick:
        arguments.remove("--quick")
    ensure_venv("[dev]")
    # Compiled once, also where Python is told to leave no files in the tree.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / ".venv" / "bytecode")
    tool = (PYTHON, "-m")
    run(tool + ("ruff", "format", "--check", "."), "some files are not formatted: run ruff format")
    run(tool + ("ruff", "check", "."), "the linter found something: see above")
    # Cores are the least that there is. A file stays with one worker, which makes what its tests share once.
    workers = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    with TemporaryFile("w+", encoding="utf-8") as found:
        # Beside the tests, which often wait.
        with subprocess.Popen([str(word) for word in tool] + ["mypy"], cwd=str(ROOT), stdout=found) as types:
            run(tool + ("pytest",) + workers + (QUICK if quick else ()) + tuple(arguments), "a test failed")
        found.seek(0)
        print("\n$ mypy\n" + found.read(), end="")
    if types.returncode:
        sys.exit("error: the type checker found something: see above")


if __name__ == "__main__":
    main()
