"""README and docs are true: their tables and lists are those of the code, commands and links exist, examples run."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, write_training_data
from readme_tables import with_current_tables
from troubleshooting_list import SECTIONS, errors, with_current_list

README = (ROOT / "README.md").read_text(encoding="utf-8")
PARAMETERS = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MAX_LINES = 150


def test_the_tables_are_current() -> None:
    assert with_current_tables(PARAMETERS) == PARAMETERS, "run: python tests/readme_tables.py"
    assert PARAMETERS.count("| `learning_rate` |") == 1


def test_the_readme_is_short() -> None:
    assert len(README.split("\n")) - 1 <= MAX_LINES


def test_the_list_of_errors_is_complete() -> None:
    assert with_current_list(TROUBLESHOOTING) == TROUBLESHOOTING, "run: python tests/troubleshooting_list.py"
    assert "- the validation loss is" in TROUBLESHOOTING


def test_every_error_has_a_section() -> None:
    placed = {module for modules in SECTIONS.values() for module in modules}
    assert {module for module, _ in errors()} <= placed


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "RECORD.md"]
)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_it_has_the_documented_sections_in_order() -> None:
    headings = re.findall(r"^##+ (.*)$", README, re.MULTILINE)
    expected = [
        *("Installation", "Environment Variables", "Dataset Folder Structure", "Parameters JSON", "Usage"),
        *("Preprocessing", "Finetuning", "Playing"),
    ]
    assert [heading for heading in headings if heading in expected] == expected


def test_there_are_three_scripts_and_the_readme_names_them() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert set(scripts) == {"selfChatBot_preprocess", "selfChatBot_train", "selfChatBot_play"}
    assert all(script in README for script in scripts)


def test_its_parameters_json_is_valid(tmp_path: Path) -> None:
    from selfchatbot.parameters import RawParameters, read_parameters

    sample = re.search(r"```jsonc\n(.*?)```", README, re.DOTALL)
    assert sample
    (tmp_path / "parameters.json").write_text(sample[1], encoding="utf-8")
    assert read_parameters(tmp_path / "parameters.json", RawParameters).max_length == 1024


def test_the_python_example_runs(
    environment: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert example
    write_training_data(environment / "preprocessed" / "Dataset_1_x", tiny_model, epochs=0.1)
    monkeypatch.chdir(environment)
    exec(compile(example[1], "architecture.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    shutil.rmtree(environment / "results")
