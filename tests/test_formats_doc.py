"""docs/formats.md is true: it knows every format, and its example is one that another package can bring."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, Run, one_line_error

from selfchatbot.preprocessors import Preprocessor, Preprocessors

DOC = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
BUILT_IN = [name for name in Preprocessors if Preprocessors[name].__module__.startswith("selfchatbot.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_format_is_there(name: str) -> None:
    kind = Preprocessors[name]
    (row,) = (line.split("|") for line in DOC.split("\n") if line.startswith(f"| `{name}` |"))
    assert set(re.findall(r"`(\.\w+)`", row[2])) - {".zip"} == set(kind.suffixes)
    own = set(kind.model_fields) - set(Preprocessor.model_fields)
    assert set(re.findall(r"`(\w+)`", row[4])) == own
    assert f"\n### {name}\n" in DOC


def test_no_format_is_there_that_is_none() -> None:
    assert re.findall(r"^### (.*)$", DOC, re.MULTILINE) == re.findall(r"^\| `(\w+)` \|", DOC, re.MULTILINE)
    assert set(re.findall(r"^### (.*)$", DOC, re.MULTILINE)) == set(BUILT_IN)


# --- a format of another package --------------------------------------------------------------------------------------


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    return code


def install(site: Path, module: str, code: str, entry: str) -> None:
    """What pip leaves behind of a package with one module and an entry point."""
    (site / f"{module}.py").parent.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    about = site / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[selfchatbot.preprocessors]\n{entry}\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return path


@pytest.fixture
def minichat(environment: Path) -> Path:
    """A dataset with two chats of the example's app."""
    raw = environment / "raw" / "Dataset_1_Test"
    (raw / "minichat").mkdir(parents=True)
    (raw / "parameters.json").write_text(json.dumps({"model": "m"}))
    for day, name in enumerate(("moss", "fern"), 1):
        lines = []
        for minute in range(0, 48, 4):
            said = ((name, "hi"), ("rowan", "hey"), ("songbot", "BOTWORD"))
            lines += [f"2024-03-0{day}T10:{minute + n:02d} {who}| {what}" for n, (who, what) in enumerate(said)]
        (raw / "minichat" / f"{name}.log").write_text("\n".join(lines) + "\n")
    return raw


def test_the_example_has_40_lines_and_runs(environment: Path, minichat: Path, site: Path, run: Run) -> None:
    assert len(example().rstrip("\n").split("\n")) <= 40
    (toml,) = re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL)
    points = tomllib.loads(toml)["project"]["entry-points"]["selfchatbot.preprocessors"]
    install(site, "minichat_for_selfchatbot", example(), f"Minichat = {points['Minichat']}")
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    written = (environment / "preprocessed" / "Dataset_1_Test" / "train.jsonl").read_text()
    assert json.loads(written.split("\n")[0])["format"] == "Minichat"
    assert "BOTWORD" not in written
    # Its field is a key of preprocessor_data, checked like ours, and its name is among the known ones.
    parameters = {"model": "m", "preprocessor_data": {"Minichat": {"ignore_bot": True}}}
    (minichat / "parameters.json").write_text(json.dumps(parameters))
    assert 'did you mean "ignore_bots"?' in one_line_error(run("preprocess", "-d", "1"), 2)
    (minichat / "minichat").rename(minichat / "minchat")
    (minichat / "parameters.json").write_text('{"model": "m"}')
    assert "rename it to Minichat" in one_line_error(run("preprocess", "-d", "1"), 1)


OVERRIDES_READ = """
from datetime import datetime
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessor
from selfchatbot.preprocessors.base import ExportPath, decoded_lines

class Minichat(Preprocessor):
    name, suffixes = "Minichat", (".log",)

    def read(self, path, files=None):
        for export in self.export_files(path):
            file = ExportFile(export, chat=export.stem)
            (files if files is not None else []).append(file)
            for line in decoded_lines(export):
                file.messages += 1
                time, name, text = line.replace("|", "", 1).split(" ", 2)
                yield Message(datetime.fromisoformat(time), name, text, file.chat)
"""


def test_a_format_may_override_read(environment: Path, minichat: Path, site: Path, run: Run) -> None:
    """Formats of other packages did so before there was read_exports."""
    install(site, "older", OVERRIDES_READ, "Minichat = older:Minichat")
    parameters = {"model": "m", "preprocessor_data": {"Minichat": {"username": "rowan"}}}
    (minichat / "parameters.json").write_text(json.dumps(parameters))
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    written = (environment / "preprocessed" / "Dataset_1_Test" / "train.jsonl").read_text()
    assert {"role": "assistant", "content": "hey"} in json.loads(written.split("\n")[0])["messages"]


def test_its_files_are_known_in_the_wrong_folder(minichat: Path, site: Path, run: Run) -> None:
    install(site, "minichat_for_selfchatbot", example(), "Minichat = minichat_for_selfchatbot:Minichat")
    (minichat / "minichat").rename(minichat / "Slack")
    assert "looks like Minichat: put it into a folder named Minichat" in one_line_error(run("preprocess", "-d", "1"), 1)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", "it can't be imported (ModuleNotFoundError)"),
        ("1 / 0", "it can't be imported (ZeroDivisionError)"),
        ("Other = 1", "it can't be imported (AttributeError)"),
        ("Minichat = 1", "not a subclass of Preprocessor"),
        ("from selfchatbot.preprocessors import Preprocessor as Minichat", 'doesn\'t have name = "Minichat"'),
        (
            "from selfchatbot.preprocessors import Preprocessor\n"
            "class Minichat(Preprocessor): name, suffixes = 'Minichat', ('.log',)",
            "has no read_exports",
        ),
    ],
)
def test_broken_package_is_one_line(minichat: Path, site: Path, run: Run, code: str, said: str) -> None:
    install(site, "broken", code, "Minichat = broken:Minichat")
    line = one_line_error(run("preprocess", "-d", "1"), 1)
    assert 'the package "broken" provides the format "Minichat" (broken:Minichat), but' in line
    assert said in line


def test_broken_package_harms_nobody_else(minichat: Path, site: Path, run: Run) -> None:
    install(site, "broken", "1 / 0", "Broken = broken:Broken")
    (minichat / "minichat").rename(minichat / "IRC")
    done = run("preprocess", "-d", "1")
    assert "fern.log: no message of" in done.stderr
    assert "can't be imported" not in done.stderr


def test_a_name_of_ours_stays_ours(site: Path) -> None:
    install(site, "thief", "1 / 0", "whatsapp = thief:WhatsApp")
    code = "from selfchatbot.preprocessors import Preprocessors as p; print(p['whatsapp'].__module__, len(p))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["selfchatbot.preprocessors.whatsapp.preprocessor", str(len(BUILT_IN))]


def test_formats_are_imported_when_they_are_asked_for() -> None:
    code = (
        "import sys; from selfchatbot.preprocessors import Preprocessors; list(Preprocessors); "
        "assert 'Slack' in Preprocessors; "
        "loaded = {n for n in sys.modules if n.startswith('selfchatbot.preprocessors.')}; Preprocessors['jsonl']; "
        "print(sorted(loaded), 'selfchatbot.preprocessors.jsonl' in sys.modules, 'ijson' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shared = ("base", "media", "names", "reading", "reading.archives", "reading.lines", "registry")
    ours = [f"selfchatbot.preprocessors.{name}" for name in shared]
    assert done.stdout.strip() == f"{ours} True False"


def test_registry_is_a_mapping_without_regard_to_case() -> None:
    assert Preprocessors["discordchatexporter"] is Preprocessors["DiscordChatExporter"]
    assert Preprocessors.get("nothing") is None
    assert "nothing" not in Preprocessors
    assert 7 not in Preprocessors
    with pytest.raises(KeyError):
        Preprocessors["nothing"]
    assert all(Preprocessors.canonical(name.upper()) == name == Preprocessors[name].name for name in BUILT_IN)
