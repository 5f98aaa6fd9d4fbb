"""Write the tables of docs/ that are generated from the code: python tests/readme_tables.py"""

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from selfchatbot import parameters
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.advice import all_rules
from selfchatbot.likeness.result import Likeness
from selfchatbot.preprocessors.base import Preprocessor

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "docs" / "parameters.md", ROOT / "docs" / "likeness.md")
MARKED = re.compile(r"(<!-- (table|likeness): (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_current_tables(text: str) -> str:
    """``text`` with every marked table as the code has it now."""

    def current(match: re.Match[str]) -> str:
        if match[2] == "likeness":
            made = {"measures": measures, "advice": advice, "schema": schema}[match[3]]()
        else:
            made = table(Preprocessor if match[3] == "Preprocessor" else getattr(parameters, match[3]))
        return f"{match[1]}\n{made}\n\n{match[4]}"

    return MARKED.sub(current, text)


def measures() -> str:
    """Each measure of an evaluation under a heading."""
    explanations = [measure.explanation for measure in MEASURES]
    return "\n\n".join(
        f"### {one.title}\n\n" + "\n".join(f"- **{name}:** {text}" for name, text in one.parts())
        for one in explanations
    )


def advice() -> str:
    """What an evaluation recommends, and when."""
    rows = [f"| {rule.advice} | {_first_line(rule.sentence)} |" for rule in all_rules()]
    return "\n".join(["| advice | when |", "| --- | --- |", *rows])


def _first_line(function: Callable[..., Any]) -> str:
    """Of its docstring, without the full stop."""
    return (inspect.getdoc(function) or "").split("\n")[0].removesuffix(".")


def schema() -> str:
    """Each part of likeness.json under a heading: what it is, and its keys."""
    return "\n\n".join(f"### {part.__name__}\n\n{_keys(part)}" for part in parts(Likeness))


def parts(kind: Any) -> list[type]:
    """The models and dataclasses that ``kind`` is made of, in the order in which they occur, ``kind`` first."""
    return list(dict.fromkeys(_parts(kind)))


def _parts(kind: Any) -> Iterator[type]:
    if isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)):
        yield kind
        fields = kind.model_fields.values() if issubclass(kind, BaseModel) else ()
        for field in fields:
            yield from _parts(field.annotation)
    for argument in get_args(kind):
        yield from _parts(argument)


def _keys(kind: type) -> str:
    """What a part is, and the table of its keys."""
    lines = [re.sub(r"\s+", " ", inspect.getdoc(kind) or ""), "", "| key | type | meaning |", "| --- | --- | --- |"]
    if issubclass(kind, BaseModel):
        rows = [
            (field.alias or name, field.annotation, field.description or "")
            for name, field in kind.model_fields.items()
        ]
    else:
        rows = [(field.name, field.type, "") for field in dataclasses.fields(kind)]
    for name, annotation, description in rows:
        shown = re.sub(r"\w+\.|<class '|'>", "", inspect.formatannotation(annotation)).replace("NoneType", "None")
        escaped = shown.replace("|", "\\|")
        lines.append(f"| `{name}` | {escaped} | {description} |")
    return "\n".join(lines)


def table(kind: type[BaseModel]) -> str:
    """The fields of ``kind`` as a Markdown table."""
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
