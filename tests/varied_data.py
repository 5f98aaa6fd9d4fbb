"""Training data with a rule to be learned."""

import json
import random
from pathlib import Path

from conftest import write_training_data

WORDS = "haha yeah sure maybe ok cool nice food rain umbrella later seven eight good thanks"


def write_varied_data(folder: Path, model: Path, **parameters: object) -> Path:
    """Training data in which my reply follows from the question: it repeats its words."""
    write_training_data(folder, model, **{"type_fine_tune": "fine_tune", "samples": 0} | parameters)
    chance = random.Random(0)
    for name, count in (("train", 12), ("validation", 4)):
        lines = []
        for _ in range(count):
            messages = []
            for _ in range(4):
                words = " ".join(chance.sample(WORDS.split(), chance.randint(1, 4)))
                messages += [{"role": "user", "content": f"say {words}"}, {"role": "assistant", "content": words}]
            lines.append(json.dumps({"messages": messages}) + "\n")
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
