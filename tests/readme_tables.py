"""Write the tables of README.md and docs/ that are generated from the code: python tests/readme_tables.py"""

import json
import re
from pathlib import Path

from pydantic import BaseModel

from selfchatbot import parameters
from selfchatbot.preprocessors.base import Preprocessor

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_current_tables(text: str) -> str:
    """``text`` with every marked table as the code has it now."""

    def current(match: re.Match[str]) -> str:
        kind = Preprocessor if match[2] == "Preprocessor" else getattr(parameters, match[2])
        return f"{match[1]}\n{table(kind)}\n\n{match[3]}"

    return MARKED.sub(current, text)


def table(kind: type[BaseModel]) -> str:
    """The fields of ``kind`` as a Markdown table, for the README."""
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "required" if field.is_required() else _shown_default(default)
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(lines)


def _shown_default(default: object) -> str:
    if default is None or isinstance(default, BaseModel) or default == {}:
        return ""
    return f"`{json.dumps(default)}`"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_current_tables(readme.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
