"""Write the tables of README.md and docs/ that are generated from the code: python tests/readme_tables.py"""

import inspect
import json
import re
from pathlib import Path

from pydantic import BaseModel

from selfchatbot import parameters
from selfchatbot.likeness import result
from selfchatbot.likeness.report.measure_docs import MEASURES
from selfchatbot.preprocessors.base import Preprocessor

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "README.md", ROOT / "docs" / "likeness.md")
MARKED = re.compile(r"(<!-- (table|schema|measures): (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_current_tables(text: str) -> str:
    """``text`` with every marked table as the code has it now."""

    def current(match: re.Match[str]) -> str:
        if match[2] == "measures":
            made = measures()
        elif match[2] == "schema":
            made = schema(getattr(result, match[3]))
        else:
            made = table(Preprocessor if match[3] == "Preprocessor" else getattr(parameters, match[3]))
        return f"{match[1]}\n{made}\n\n{match[4]}"

    return MARKED.sub(current, text)


def measures() -> str:
    """Each measure of an evaluation under a heading."""
    return "\n\n".join(
        f"### {measure.title}\n\n" + "\n".join(f"- **{name}:** {text}" for name, text in measure.parts())
        for measure in MEASURES.values()
    )


def schema(kind: type[BaseModel]) -> str:
    """A part of likeness.json: what it is, and its keys."""
    what = re.sub(r"\s+", " ", inspect.getdoc(kind) or "")
    lines = [what, "", "| key | type | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        shown = re.sub(r"\w+\.|<class '|'>", "", inspect.formatannotation(field.annotation)).replace("NoneType", "None")
        escaped = shown.replace("|", "\\|")
        lines.append(f"| `{name}` | {escaped} | {field.description or ''} |")
    return "\n".join(lines)


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
    for path in FILES:
        text = with_current_tables(path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8", newline="\n")
