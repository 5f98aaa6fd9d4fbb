"""The whole way on the sample: install, preprocess, train, one reply. To run it: python3 SampleEnvironment/run.py

This file keeps to syntax that old Pythons read, so that they can say which one is needed.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("error: Python 3.11 or newer is needed, this is {}.{}".format(*sys.version_info[:2]))

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from setup_venv import PYTHON, SCRIPTS, ensure_venv, quoted, run

PROMPT = "hey, how was your day?"
LARGER = """
This model is the smallest there is. With all chats of this person, readers found sense in 62 of 100 of its replies, in
82 of 100 of a model eleven times as large, and in 97 of 100 of the person's own (docs/likeness.md)."""
RECOMMENDED = "from selfchatbot.setup.models import advice, this_hardware; print(advice(this_hardware()))"
BEST = HERE / "selfChatBot_results" / "Dataset_1_Rowan" / "best"


def main():
    ensure_venv()
    # The .env in this folder says where the data is; a variable that happens to be set would win over it.
    for stage in ("raw", "preprocessed", "results"):
        os.environ.pop("selfChatBot_" + stage, None)
    print("\nFrom here on, in the folder SampleEnvironment:")
    script("selfChatBot_preprocess", "-d", "1")
    if BEST.exists():
        print("\nTrained already (selfChatBot_train -d 1 trains again).")
    else:
        script("selfChatBot_train", "-d", "1")
    script("selfChatBot_play", "-d", "1", "-t", "prompt", "-p", PROMPT)
    print("\nTo talk to it:")
    print("    cd SampleEnvironment")
    print("    " + quoted(str(SCRIPTS / "selfChatBot_play"), HERE) + " -d 1")
    print("\nTo go on with your own chats (docs/formats.md tells how to export them), in a folder of your own:")
    print("    " + quoted(str(SCRIPTS / "selfChatBot_preprocess"), Path.cwd()) + " FILES")
    print("It asks for what it can't know, and says the next command.")
    print(LARGER, flush=True)
    subprocess.run([str(PYTHON), "-c", RECOMMENDED], check=False)


def script(name, *arguments):
    run((SCRIPTS / name,) + arguments, name + " failed: see the line above", cwd=HERE)


if __name__ == "__main__":
    main()
