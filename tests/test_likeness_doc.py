"""docs/likeness.md is true: measures and schema are those of the code, and what it says of the advice are its rules."""

import re

from conftest import ROOT
from pydantic import BaseModel
from readme_tables import with_current_tables

from selfchatbot.likeness import result
from selfchatbot.likeness.report.advice import RULES
from selfchatbot.likeness.result import Part

DOC = (ROOT / "docs" / "likeness.md").read_text(encoding="utf-8")


def test_the_tables_are_current() -> None:
    assert with_current_tables(DOC) == DOC, "run: python tests/readme_tables.py"
    assert "| `mean_reciprocal_rank` | Interval |" in DOC
    assert "- **How it can fool you:**" in DOC


def test_every_part_of_the_file_is_described() -> None:
    parts = {name for name, kind in vars(result).items() if isinstance(kind, type) and issubclass(kind, BaseModel)}
    assert set(re.findall(r"<!-- schema: (\w+) -->", DOC)) == parts - {"BaseModel", Part.__name__}


def test_every_rule_is_in_the_table_of_advice() -> None:
    (table,) = re.findall(r"\| says \| when \|\n\| --- \| --- \|\n((?:\|.*\n)+)", DOC)
    # `epochs` says one of three things.
    assert table.count("\n") == len(RULES) + 2
