"""Which model families work? A tiny random model of each goes the whole way, each in a process of its own.

    python benchmarks/families.py                                # all of benchmarks/families.json: half an hour
    python benchmarks/families.py llama qwen3_5 --columns batch  # some families, some checks
    python benchmarks/families.py --results found.jsonl --write  # also keep what was found, and write docs/models.md

The checks and their second opinions are in model_families/checks.py: the loss is transformers' own, a greedy reply is
that of `generate`, a second turn that of a fresh engine, each reply of a batch that of the same conversation alone, and
llama.cpp computes the same as transformers. Needs a CPU and no network. With --results, families that are in the file
already are only run again if they are named, and checks that are not run keep what was found before.
"""

import argparse
import json
import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
CONTEXT: Any = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
PRELOADED = ["model_families.checks", "selfchatbot.trainer", "selfchatbot.export", "peft", "bitsandbytes"]
"""Imports that take longer than a tiny model."""

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- families: benchmarks/families.py writes this table -->\n", "<!-- end of families -->\n"
SHAPES = json.loads((ROOT / "benchmarks" / "families.json").read_text(encoding="utf-8"))
TIMEOUT = 600
"""Seconds for one family, on a busy machine."""
SHOWN = {
    "lora": "LoRA",
    "qlora": "QLoRA",
    "full": "full",
    "estimate": "memory",
    "plays": "plays",
    "undo": "undo",
    "candidates": "`best_of`",
    "batch": "batch",
    "export": "export",
    "gguf": "GGUF",
}
"""Columns of the document."""
NO_COLUMNS = {
    "refused": "Refused before anything is computed:",
    "error": "Crashed, which says nothing about the columns:",
}
"""What is found of a whole family."""


def main() -> None:
    """Run the families that are not known yet and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(SHAPES))
    parser.add_argument("--columns", nargs="+", help="only these checks")
    parser.add_argument("--results", type=Path, help="JSON Lines: read first, then extended")
    parser.add_argument("--write", action="store_true", help="write the table into docs/models.md")
    chosen = parser.parse_args()
    if unknown := set(chosen.families) - set(SHAPES):
        parser.error(f"not in benchmarks/families.json: {', '.join(sorted(unknown))}")
    lines = chosen.results.read_text(encoding="utf-8").split("\n") if chosen.results and chosen.results.exists() else []
    results = {record["family"]: record["found"] for record in map(json.loads, filter(None, lines))}
    if os.name == "posix":
        CONTEXT.set_forkserver_preload(PRELOADED)
    for name in chosen.families or SHAPES:
        if name not in results or chosen.families:
            known = {column: text for column, text in results.get(name, {}).items() if column not in NO_COLUMNS}
            results[name] = {**known, **in_a_process(name, chosen.columns)}
            if chosen.results:
                with chosen.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"family": name, "found": results[name]}, ensure_ascii=False) + "\n")
            bad = {column: text for column, text in results[name].items() if not text.startswith("ok")}
            print(f"{name}: {json.dumps(bad, ensure_ascii=False) if bad else 'all right'}", flush=True)
    if chosen.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        DOCUMENT.write_text(before + BEGIN + table(results) + END + rest.partition(END)[2], encoding="utf-8")


def in_a_process(name: str, columns: list[str] | None) -> dict[str, str]:
    """What `model_families.checks.check` finds; one family can't disturb another, and none stays in memory."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_child, args=(sender, name, columns))
    process.start()
    sender.close()
    try:
        found: dict[str, str] = (
            receiver.recv() if receiver.poll(TIMEOUT) else {"error": f"not complete after {TIMEOUT} s"}
        )
    except EOFError:
        found = {"error": "the process crashed"}
    process.join(5)
    process.kill()
    return found


def _child(sender: Connection, name: str, columns: list[str] | None) -> None:
    from model_families.checks import COLUMNS, check

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sender.send(check(name, tuple(columns or COLUMNS)))


def table(results: dict[str, dict[str, str]]) -> str:
    """The results as a table, with notes on what is not plain below it."""
    lines = [
        f"| models | `model_type` | {' | '.join(SHOWN.values())} |",
        f"|---|---|{':---:|' * len(SHOWN)}",
    ]
    whole: dict[str, list[str]] = {kind: [] for kind in NO_COLUMNS}
    not_run = []
    for name, shape in SHAPES.items():
        found = results.get(name)
        kind = shape.get("model_type", name)
        if found is None:
            not_run.append(f"- {shape['models']} (`{kind}`)")
            continue
        if outcome := next((key for key in NO_COLUMNS if key in found), None):
            whole[outcome].append(f"- {shape['models']} (`{kind}`): {found[outcome]}")
            continue
        cells = [_cell(found.get(column, "")) for column in SHOWN]
        lines.append(f"| {shape['models']} | `{kind}` | {' | '.join(cells)} |")
    adapted = [
        f"- `{shape.get('model_type', name)}`: {found['lora'][3:]}"
        for name, shape in SHAPES.items()
        if (found := results.get(name)) and "; not " in found.get("lora", "")
    ]
    parts = ["\n".join(lines)]
    if adapted:
        parts.append("Adapters are on all linear layers, except in these families:\n\n" + "\n".join(adapted))
    parts += [f"{NO_COLUMNS[key]}\n\n" + "\n".join(lines) for key, lines in whole.items() if lines]
    if not_run:
        parts.append("Not run:\n\n" + "\n".join(not_run))
    return "\n\n".join(parts) + "\n"


def _cell(found: str) -> str:
    return "yes" if found.startswith("ok") else "no" if found.startswith(("refused", "wrong", "error")) else ""


if __name__ == "__main__":
    main()
