"""Format check, lint, types and all tests, from a clean clone: python3 tests/run.py [what pytest takes]

This file keeps to syntax that old Pythons read, so that they can say which one is needed.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("error: Python 3.11 or newer is needed, this is {}.{}".format(*sys.version_info[:2]))

from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "SampleEnvironment"))

from setup_venv import PYTHON, ensure_venv, run


def main():
    ensure_venv("[dev]")
    tool = (PYTHON, "-m")
    run(tool + ("ruff", "format", "--check", "."), "some files are not formatted: run ruff format")
    run(tool + ("ruff", "check", "."), "the linter found something: see above")
    run(tool + ("mypy",), "the type checker found something: see above")
    two = ("-n", "2", "--dist", "worksteal")  # cores are the least that there is
    coverage = ("--cov=selfchatbot", "--cov-report=term:skip-covered")
    run(tool + ("pytest",) + two + coverage + tuple(sys.argv[1:]), "a test failed")


if __name__ == "__main__":
    main()
