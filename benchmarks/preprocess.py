"""How long does `selfChatBot_preprocess` take, and how much memory?

    .venv/bin/python benchmarks/preprocess.py [--messages 100000] [--runs 5]

Makes one DiscordChatExporter .txt of so many messages out of the chats of the sample, repeated with later and later
dates, and runs the whole console script on it in a process of its own. Printed are the median of the wall times and the
highest peak of memory; beside them the limit, which is to read the lines of that file in Python and do nothing, and the
ratio to it; then `--help`, an input error, and whether torch was imported.

On 2026-11-24, 2 cores of an AMD EPYC (shared with other work, hence `nice -n -20`), Linux, Python 3.11, 7 runs each:

    100,000 messages, 7.2 MiB
    preprocess     1.84 s       53 MiB
    read lines     0.02 s   the limit; preprocess takes 87 times as long
    --help         0.03 s       12 MiB
    wrong ID       0.21 s       34 MiB
    torch        was not imported

To be kept: 2 s and 150 MiB, 0.2 s for --help, 0.4 s for an input error.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

SAMPLE = Path(__file__).resolve().parent.parent / "SampleEnvironment" / "selfChatBot_raw" / "Dataset_1_Rowan"
HEADER = re.compile(r"\[(\d+/\d+/\d{4} \d+:\d\d [AP]M)\] (.+)")
RULE = "=" * 62

# Runs its arguments as a program and prints how that went: seconds, KiB and exit code. It stands between because
# ru_maxrss of a child begins with what its parent had, and this script holds the chats.
MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""
READ_LINES = """
import sys, time
start = time.perf_counter()
for line in open(sys.argv[1], encoding="utf-8", newline="\\n"):
    pass
print(time.perf_counter() - start)
"""


class Message(NamedTuple):
    """A message of the sample."""

    time: datetime
    author: str
    lines: list[str]


def main() -> None:
    """Make the export, run everything several times, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = make_dataset(Path(folder), arguments.messages)
        print(f"{arguments.messages:,} messages, {export.stat().st_size / 2**20:.1f} MiB, {arguments.runs} runs each")
        seconds, memory = run(Path(folder), arguments.runs, 0, "-d", "1")
        print(f"preprocess   {seconds:6.2f} s   {memory:6.0f} MiB")
        limit = statistics.median(read_lines(export) for _ in range(arguments.runs))
        print(f"read lines   {limit:6.2f} s   the limit; preprocess takes {seconds / limit:.0f} times as long")
        print("--help       {:6.2f} s   {:6.0f} MiB".format(*run(Path(folder), arguments.runs, 0, "--help")))
        print("wrong ID     {:6.2f} s   {:6.0f} MiB".format(*run(Path(folder), arguments.runs, 2, "-d", "99")))
        print("torch        " + ("was imported" if imports_torch(Path(folder)) else "was not imported"))


def make_dataset(folder: Path, count: int) -> Path:
    """A .env and a raw dataset with one export; returns the path of that file."""
    stages = ("raw", "preprocessed", "results")
    (folder / ".env").write_text("".join(f"selfChatBot_{stage}={stage}\n" for stage in stages), encoding="utf-8")
    raw = folder / "raw" / "Dataset_1_Benchmark"
    path = raw / "DiscordChatExporter" / "Direct Messages - everybody [1].txt"
    path.parent.mkdir(parents=True)
    (raw / "parameters.json").write_bytes((SAMPLE / "parameters.json").read_bytes())
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{RULE}\nGuild: Direct Messages\nChannel: everybody\n{RULE}\n\n")
        for message in repeated(sample(), count):
            file.write(f"[{stamp(message.time)}] {message.author}\n" + "\n".join(message.lines) + "\n\n\n")
        file.write(f"{RULE}\nExported {count:,} message(s)\n{RULE}\n")
    return path


def sample() -> list[Message]:
    """The messages of the sample by time."""
    messages = []
    for path in sorted((SAMPLE / "DiscordChatExporter").glob("*.txt")):
        text = path.read_text(encoding="utf-8").split(f"{RULE}\n", 2)[2].rsplit(f"\n{RULE}\nExported", 1)[0]
        for part in re.split(r"\n\n\n(?=\[)", text.strip("\n")):
            head, *lines = part.split("\n")
            match = HEADER.fullmatch(head)
            assert match is not None, head
            messages.append(Message(datetime.strptime(match[1], "%m/%d/%Y %I:%M %p"), match[2], lines))
    return sorted(messages, key=lambda message: message.time)


def repeated(messages: list[Message], count: int) -> Iterator[Message]:
    """``messages`` again and again, each time later than before."""
    span = messages[-1].time - messages[0].time + timedelta(days=1)
    for number in range(count):
        turn, index = divmod(number, len(messages))
        message = messages[index]
        yield message._replace(time=message.time + turn * span)


def stamp(time: datetime) -> str:
    """The short date and time of en-US."""
    half = "PM" if time.hour > 11 else "AM"
    return f"{time.month}/{time.day}/{time.year} {time.hour % 12 or 12}:{time.minute:02} {half}"


def run(folder: Path, runs: int, expected: int, *arguments: str) -> tuple[float, float]:
    """Median of the wall times in seconds and highest peak of memory in MiB of the console script."""
    script = Path(sys.executable).with_name("selfChatBot_preprocess")
    results = []
    for _ in range(runs):
        command = [sys.executable, "-c", MEASURE, str(script), *arguments]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        seconds, kibibytes, code = json.loads(done.stdout)
        if code != expected:
            sys.exit(f"{script.name} {' '.join(arguments)} ended with {code}, expected {expected}")
        results.append((seconds, kibibytes / 1024))
    return statistics.median(seconds for seconds, _ in results), max(memory for _, memory in results)


def read_lines(path: Path) -> float:
    """Seconds that it takes to read the lines of a file, without the start of Python."""
    command = [sys.executable, "-c", READ_LINES, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def imports_torch(folder: Path) -> bool:
    """Whether a whole run imports torch, as Python itself reports what it imports."""
    command = [sys.executable, "-X", "importtime", "-m", "selfchatbot.cli.preprocess", "-d", "1"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "selfchatbot.preprocessing" in imported
    return "torch" in imported


if __name__ == "__main__":
    main()
