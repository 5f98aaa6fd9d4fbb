"""Other parsers of chat exports that PyPI has, for benchmarks/preprocess.py; none is a dependency of this project.

    python3.11 -m venv peers
    peers/bin/pip install chat-miner chatpack whatstk telegram-export-md slack-export-viewer linelog2py \\
        LineTextParser kakaotalk-msg-preprocessor irclog2html convmerge

Each reads one file into a list of messages and ends: no files are found, nothing is made of the messages and nothing
written (but convmerge writes them again). chatpack is compiled Rust. There is none for the .txt of imessage-exporter,
the .xml of SMS Backup & Restore and today's files of signal-export: chat-miner reads those of 2019.
"""

import json
import subprocess
from pathlib import Path

PROGRAM = """
import sys, time
path = sys.argv[1]
{}
start = time.process_time()
{}
print()
print(time.process_time() - start, found)
"""


def _chat_miner(name: str) -> tuple[str, str]:
    return (
        f"from chatminer.chatparsers import {name}",
        f"parser = {name}(path)\nparser.parse_file()\nfound = len(parser.parsed_messages._parsed_messages)",
    )


def _of_parts(code: tuple[str, str]) -> tuple[str, str]:
    """``code`` for each of the files in a folder."""
    imports, read = code
    lines = [f"    {line}" for line in ("path = str(part)", *read.replace("found = ", "total += ").split("\n"))]
    return f"{imports}\nfrom pathlib import Path", "\n".join(
        ("total = 0", "for part in Path(path).iterdir():", *lines, "found = total")
    )


def _chatpack(name: str) -> tuple[str, str]:
    return "import chatpack", f"found = len(chatpack.parse_{name}(path))"


PARSERS: dict[str, dict[str, tuple[str, str]]] = {
    "Discord txt": {"chatpack": _chatpack("discord")},
    "Discord json": {"chatpack": _chatpack("discord")},
    "Discord csv": {"chatpack": _chatpack("discord")},
    "WhatsApp": {
        "chatpack": _chatpack("whatsapp"),
        "chat-miner": _chat_miner("WhatsAppParser"),
        "whatstk": ("from whatstk import df_from_whatsapp", "found = len(df_from_whatsapp(path))"),
    },
    "Telegram": {
        "chatpack": _chatpack("telegram"),
        "chat-miner": _chat_miner("TelegramJsonParser"),
        "telegram-export-md": (
            "from pathlib import Path\nfrom tg_export_md.converter import load_export, parse_chat",
            "found = len(parse_chat(load_export(Path(path))[1]).messages)",
        ),
    },
    "Messenger": {"chat-miner": _of_parts(_chat_miner("FacebookMessengerParser"))},
    "Instagram": {
        "chatpack": _of_parts(_chatpack("instagram")),
        "chat-miner": _of_parts(_chat_miner("InstagramJsonParser")),
    },
    "Slack": {
        "slack-export-viewer": (
            "from slackviewer.config import Config\nfrom slackviewer.reader import Reader",
            "found = sum(map(len, Reader(Config({'archive': path})).compile_channels().values()))",
        )
    },
    "LINE": {
        "linelog2py": ("from linelog2py.reader import Reader", "found = len(Reader.readFile(path))"),
        "LineTextParser": (
            "from LineTextParser import Linetxt",
            "options = {'dateSplit': '/', 'dateSplitCount': 2, 'dateMM': (10, 15), 'split': '\\t'}\n"
            "text = open(path, encoding='utf-8').read()\n"
            "found = len(Linetxt(text[text.index('\\n20') + 1 :], options).seqs)",
        ),
    },
    "KakaoTalk": {
        "kakaotalk-msg-preprocessor": (
            "from kakaotalk_msg_preprocessor import kakaotalk_msg_preprocessor as parser",
            "found = len(parser.parse(parser.check_export_file_type(path), path))",
        )
    },
    "IRC": {
        "irclog2html": (
            "from irclog2html.irclog2html import LogParser",
            "found = sum(what == LogParser.COMMENT for time, what, info in LogParser(open(path, 'rb')))",
        )
    },
    "JSONL": {
        "convmerge": (
            "import tempfile\nfrom convmerge.convert import convert_file",
            "with tempfile.TemporaryDirectory() as folder:\n"
            "    done = convert_file(path, f'{folder}/out.jsonl', adapter_name='chat', output_format='messages')\n"
            "found = done[1]",
        )
    },
}
"""By layout and name on PyPI: what to import, and how to read a file."""


def program(imports: str, read: str) -> str:
    """A program that reads the file it is given; prints the seconds of the processor for that, and ``found``."""
    return PROGRAM.format(imports, read)


def installed(python: Path) -> dict[str, str]:
    """The versions of the parsers in an environment, by name."""
    names = sorted({name for parsers in PARSERS.values() for name in parsers})
    code = (
        "import importlib.metadata, json\n"
        "print(json.dumps({found.name: found.version for found in importlib.metadata.distributions()}))"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return {name: versions[name] for name in names if name in versions}
