"""Measures the time and memory that `selfChatBot_preprocess` needs for each format.

    .venv/bin/python benchmarks/preprocess.py [--messages 100000] [--runs 5] [--formats FORMAT ...]
        [--peers PYTHON]
    .venv/bin/python benchmarks/preprocess.py --gigabyte [--formats FORMAT ...]

Makes one export of ``--messages`` messages in each layout (`chat_exports`) and runs the whole console script on it, in
a process of its own. In turn with it run: reading alone (the messages into a list), the plainest way to read such a
file, and other parsers (`other_parsers`) in the environment of ``--peers``. Then `--help`, an input error, and a check
that torch is not imported. ``--gigabyte`` makes one export of 1 GB in each layout, and deletes it afterwards.

On 2026-11-24, 2 cores of an AMD EPYC, Linux, Python 3.11.7, medians of 3 runs. The machine was shared (load 8), so
wall-clock time was three to four times the CPU time. CPU seconds, and peak memory of whole processes:

    100,000      whole process   reading   plain reading     reading by other parsers, and their peaks
    Discord txt  2.01 s  54 MiB   0.79 s   lines      0.02   chatpack 0.13 s, 48 MiB
    Discord csv  1.52 s  52 MiB   0.41 s   lines      0.01   chatpack 0.07 s, 47 MiB
    Discord json 3.78 s  52 MiB   1.89 s   ijson      0.67   chatpack 0.24 s, 137 MiB
    WhatsApp     2.28 s  51 MiB   1.01 s   lines      0.01   chatpack 0.30 s, 48 MiB (99,705 messages);
                                                             chat-miner 3.35 s, 179 MiB; whatstk 1.78 s, 340 MiB
    Telegram     2.68 s  51 MiB   1.23 s   ijson      0.31   chatpack 0.16 s, 92 MiB; chat-miner 0.90 s, 280 MiB;
                                                             telegram-export-md 1.18 s, 170 MiB
    Messenger    2.31 s  47 MiB   0.90 s   ijson      0.13   chat-miner 0.34 s, 144 MiB
    Instagram    2.28 s  47 MiB   0.89 s   ijson      0.12   chatpack 0.06 s, 19 MiB; chat-miner 0.44 s, 144 MiB
    Signal json  1.88 s  49 MiB   0.72 s   json.loads 0.23   none
    Signal md    2.04 s  50 MiB   0.87 s   lines      0.01   none
    iMessage     2.38 s  54 MiB   1.19 s   lines      0.02   none
    Slack        3.36 s  53 MiB   1.76 s   ijson      0.53   slack-export-viewer 1.68 s, 252 MiB
    SMS          2.44 s  54 MiB   1.36 s   iterparse  0.48   none
    LINE         1.75 s  54 MiB   0.61 s   lines      0.01   LineTextParser 0.41 s, 83 MiB; linelog2py 0.84 s, 63 MiB
    KakaoTalk    1.94 s  53 MiB   0.78 s   lines      0.02   kakaotalk-msg-preprocessor 0.91 s, 50 MiB
    IRC          1.75 s  50 MiB   0.59 s   lines      0.01   irclog2html 0.20 s, 12 MiB
    JSONL        1.60 s  49 MiB   0.48 s   json.loads 0.04   convmerge 0.51 s, 23 MiB
    --help       0.04 s  13 MiB
    wrong ID     0.26 s  34 MiB
    torch        was not imported

The other parsers do less: they return all messages of the file at once, from memory, and know few or none of the
phrases that the apps write into chats. chat-miner joins the lines of a message, irclog2html has no dates, convmerge
writes the 5,000 conversations again. For JSON they are faster because they load the whole file, while this program
streams it: 1 GB takes 61 MiB. Versions: chatpack 0.1.0 (Rust), chat-miner 0.6.0, whatstk 0.9.1, telegram-export-md
0.4.1, slack-export-viewer 3.5.0, LineTextParser 2.0.1, linelog2py 0.1.6, kakaotalk-msg-preprocessor 0.13, irclog2html
4.1.0, convmerge 1.6.5.

    1 GB of                   messages           CPU time   peak
    Telegram                 2,933,810              74 s    60 MiB
    SMS                      3,249,464              69 s    63 MiB
    WhatsApp                13,472,567             260 s    60 MiB
    Messenger whole          5,340,093             113 s    77 MiB
    Discord json             1,413,747              49 s    61 MiB
    iMessage                12,906,964             267 s    63 MiB
    Discord txt             13,253,011             234 s    63 MiB
    Discord csv              9,685,844             129 s    59 MiB
    Slack                    1,284,294              33 s    68 MiB
    Signal json              5,763,889              88 s    59 MiB
    LINE                    16,856,740             236 s    63 MiB
    KakaoTalk               11,411,949             188 s    62 MiB
    Signal md               12,906,964             220 s    60 MiB
    IRC                     16,024,485             224 s    59 MiB
    JSONL                   12,221,024             153 s   109 MiB

Limits to keep: 300 MiB for 1 GB; for 100,000 messages 3 s for text and 5 s for JSON and XML, 150 MiB; 0.2 s for --help,
0.4 s for an input error.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from chat_exports import EXPORTS, ME, Chat, Export
from other_parsers import PARSERS, installed, program

GIGABYTE = 10**9
SCRIPT = Path(sys.executable).with_name("selfChatBot_preprocess")

# Runs its arguments as a program. After the program's own output, it prints seconds, CPU seconds, KiB and exit code.
# A process in between is needed because ru_maxrss of a child starts with the value of its parent.
MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""
# The minimum that any reader of a file does.
PLAIN = {
    "lines": "for line in open(path, encoding='utf-8', newline='\\n'): pass",
    "ijson": "for token in ijson.basic_parse(open(path, 'rb'), use_float=True): pass",
    "ijson of all": "for day in sorted(pathlib.Path(path).rglob('*.json')):\n"
    "    for token in ijson.basic_parse(day.open('rb'), use_float=True): pass",
    "json.loads": "for line in open(path, encoding='utf-8', newline='\\n'): json.loads(line)",
    "iterparse": "for _, element in ElementTree.iterparse(path): element.clear()",
}
READ_PLAIN = "import ijson, json, pathlib\nfrom xml.etree import ElementTree"
READ_OURS = (
    "import ijson, pathlib\nfrom selfchatbot.preprocessors import Preprocessors\n"
    "preprocessor = Preprocessors['{}'](username='{}')",
    "found = len(list(preprocessor.read(pathlib.Path(path))))",
)


class Run(NamedTuple):
    """One run of a program."""

    seconds: float
    processor: float
    """CPU seconds."""
    memory: float
    """Peak in MiB."""
    code: int
    printed: list[str]


class Runs(list[Run]):
    """Several runs of the same program."""

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s {self.processor:6.2f} s {self.memory:4.0f} MiB"

    @property
    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self)

    @property
    def processor(self) -> float:
        return statistics.median(run.processor for run in self)

    @property
    def alone(self) -> float:
        """CPU seconds that the program itself measured, without its imports."""
        return statistics.median(float(run.printed[-1].split()[0]) for run in self)

    @property
    def memory(self) -> float:
        return max(run.memory for run in self)


def main() -> None:
    """Make the exports, run everything several times, print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=EXPORTS, default=[*EXPORTS], metavar="FORMAT")
    parser.add_argument("--peers", metavar="PYTHON", help="the Python of an environment with the other parsers")
    parser.add_argument("--gigabyte", action="store_true", help="one file of 1 GB for each format, ours alone")
    arguments = parser.parse_args()
    if arguments.gigabyte:
        for name in arguments.formats:
            gigabyte(name, EXPORTS[name])
        return
    # Not resolved, because the interpreter of a virtual environment is a link.
    peers = Path(arguments.peers).absolute() if arguments.peers else None
    others = installed(peers) if peers else {}
    print(f"{arguments.messages:,} messages, {arguments.runs} runs each")
    print(f"{'':30} whole process: s, CPU s, peak; reading alone: CPU s, ratio to ours, messages")
    chat = Chat(arguments.messages)
    for name in arguments.formats:
        compare(name, EXPORTS[name], chat, arguments.runs, peers, others)
    start(arguments.runs)


def compare(name: str, export: Export, chat: Chat, runs: int, peers: Path | None, others: dict[str, str]) -> None:
    """One format: this program, its reading alone, other parsers and plain reading, in turn, several times."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_dataset(Path(folder), export, chat)
        plain = plain_reading(path)
        imports, read = READ_OURS
        programs = {
            "reading alone": [sys.executable, "-c", program(imports.format(export.format, ME), read), str(path)],
            f"{plain} alone": [sys.executable, "-c", program(READ_PLAIN, f"{PLAIN[plain]}\nfound = 0"), str(path)],
        }
        for parser, code in PARSERS.get(name, {}).items():
            if parser in others:
                programs[f"{parser} {others[parser]}"] = [str(peers), "-c", program(*code), str(path)]
        whole = Runs()
        measured = {title: Runs() for title in programs}
        for _ in range(runs):
            whole.append(preprocess(Path(folder), 0, "-d", "1"))
            for title, command in programs.items():
                measured[title].append(run(command, Path(folder)))
    print(f"{name:30} {whole}", flush=True)
    ours = measured["reading alone"].alone
    for title, found in measured.items():
        if any(one.code for one in found):
            print(f"    {title:26} fails")
            continue
        messages = found[0].printed[-1].split()[1]
        print(f"    {title:26} {found}   {found.alone:6.3f} s {found.alone / ours:6.2f} {messages:>8}", flush=True)


def gigabyte(name: str, export: Export) -> None:
    """Peak memory for 1 GB of one format."""
    with tempfile.TemporaryDirectory() as folder:
        size = size_of(export.write_to(Path(folder), Chat(20_000)))
    with tempfile.TemporaryDirectory() as folder:
        chat = Chat(20_000 * GIGABYTE // size)
        path = make_dataset(Path(folder), export, chat)
        measured = Runs([preprocess(Path(folder), 0, "-d", "1")])
        print(f"{name:30} {size_of(path) / 10**9:.2f} GB {len(chat):12,} messages {measured}", flush=True)


def start(runs: int) -> None:
    """Runs that read no message."""
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(Path(folder), EXPORTS["JSONL"], Chat(1000))
        for name, code, *arguments in (("--help", 0, "--help"), ("wrong ID", 2, "-d", "99")):
            print(f"{name:30} {Runs(preprocess(Path(folder), code, *arguments) for _ in range(runs))}")
        print(f"{'torch':30} " + ("was imported" if imports_torch(Path(folder)) else "was not imported"))


def make_dataset(folder: Path, export: Export, chat: Chat) -> Path:
    """Make .env and a raw dataset with one export. Returns the path of the export."""
    stages = ("raw", "preprocessed", "results")
    (folder / ".env").write_text("".join(f"selfChatBot_{stage}={stage}\n" for stage in stages), encoding="utf-8")
    raw = folder / "raw" / "Dataset_1_Benchmark"
    raw.mkdir(parents=True)
    known = {} if export.says_me else {export.format: {"username": ME}}
    parameters = {"model": "SmolLM2-135M-Instruct", "preprocessor_data": known}
    (raw / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    return export.write_to(raw / export.format, chat)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a folder."""
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else (path,)))


def plain_reading(path: Path) -> str:
    """The key in `PLAIN` for an export."""
    if path.is_dir():
        return "ijson of all"
    if path.name in ("data.json", "conversations.jsonl"):
        return "json.loads"
    return {".json": "ijson", ".xml": "iterparse"}.get(path.suffix, "lines")


def preprocess(folder: Path, expected: int, *arguments: str) -> Run:
    """One run of the console script."""
    measured = run([str(SCRIPT), *arguments], folder)
    if measured.code != expected:
        sys.exit(f"{SCRIPT.name} {' '.join(arguments)} ended with {measured.code}, expected {expected}")
    return measured


def run(command: list[str], folder: Path | None = None) -> Run:
    """Run a program through `MEASURE`."""
    measure = [sys.executable, "-c", MEASURE, *command]
    *printed, last = subprocess.run(measure, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
    seconds, processor, kibibytes, code = json.loads(last)
    return Run(seconds, processor, kibibytes / 1024, code, printed)


def imports_torch(folder: Path) -> bool:
    """Whether a whole run imports torch, according to Python's own report of imports."""
    command = [sys.executable, "-X", "importtime", "-m", "selfchatbot.cli.preprocess", "-d", "1"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "selfchatbot.conversations.stage" in imported
    return "torch" in imported


if __name__ == "__main__":
    main()
