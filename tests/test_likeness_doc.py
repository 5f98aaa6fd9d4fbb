"""docs/likeness.md is generated where it describes the code: measures, advice, and the layout of likeness.json."""

from conftest import ROOT
from readme_tables import parts, with_current_tables

from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.advice import all_rules
from selfchatbot.likeness.result import Likeness, SpeakerResult

DOC = (ROOT / "docs" / "likeness.md").read_text(encoding="utf-8")


def test_the_tables_are_current() -> None:
    assert with_current_tables(DOC) == DOC, "run: python tests/readme_tables.py"
    assert "| `mean_reciprocal_rank` | Interval |" in DOC
    assert "- **How it can fool you:**" in DOC


def test_every_measure_is_explained_and_has_its_field_in_the_result() -> None:
    for measure in MEASURES:
        assert f"### {measure.explanation.title}\n" in DOC
        assert all(text for _, text in measure.explanation.parts())
    by_speaker = [measure.key for measure in MEASURES if isinstance(measure, SpeakerMeasure)]
    assert {*by_speaker, "replies"} == set(SpeakerResult.model_fields)
    whole = [measure.key for measure in MEASURES if not isinstance(measure, SpeakerMeasure)]
    assert {*whole, "schema_version", "run", "speakers"} == set(Likeness.model_fields)


def test_every_part_of_the_file_and_every_rule_is_in_the_document() -> None:
    names = [part.__name__ for part in parts(Likeness)]
    assert {"Likeness", "SpeakerResult", "Interval", "LeakCounts"} <= set(names)
    assert all(f"### {name}\n" in DOC for name in names)
    assert all(f"| {rule.advice} | " in DOC and rule.sentence.__doc__ for rule in all_rules())
