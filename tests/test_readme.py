"""The README is true: its tables are those of the code, its commands exist, its example runs."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, write_training_data
from readme_tables import with_current_tables

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_current() -> None:
    assert with_current_tables(README) == README, "run: python tests/readme_tables.py"
    assert README.count("| `learning_rate` |") == 1


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


def test_its_python_example_runs(
    environment: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    write_training_data(environment / "preprocessed" / "Dataset_1_x", tiny_model, epochs=0.1)
    monkeypatch.chdir(environment)
    exec(compile(example[1], "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    shutil.rmtree(environment / "results")
