"""What several tests need: tiny models, a dataset's folders, and the console scripts as a user runs them."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from script_runner import run_script

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from selfchatbot.environment import Dataset

pytest.register_assert_rewrite("chat_page")

# A test run in the background of a shell ignores Ctrl-C, one under nohup the end of the terminal, and so would every
# script that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Tiny models gain nothing from a second thread, and two that wait for each other are slow on a busy machine. This is
# before torch is loaded, and goes to every script that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test fails because a machine is busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("any machine"), max_examples=10)
settings.register_profile("fuzz", settings.get_profile("any machine"), max_examples=10_000)
settings.load_profile("any machine")


def examples(count: int) -> int:
    """How many examples hypothesis tries: ``count``, or few in the quick profile."""
    return min(count, 10) if settings().max_examples == 10 else count


COSTLY_FIXTURES = {"run": "process", "browser": "browser"}
COSTLY_MODULES = {
    "test_adapted_linear": "training",
    "test_bad_input_machine": "process",
    "test_bad_input_preprocess": "process",
    "test_distributed": "training",
    "test_dry_run": "training",
    "test_export": "training",
    "test_families": "training",
    "test_likeness_evaluate": "training",
    "test_likeness_held_out": "training",
    "test_memory_estimate": "training",
    "test_model_families": "training",
    "test_preference_gradient": "training",
    "test_preference_rounds": "training",
    "test_report": "training",
    "test_resume": "training",
    "test_resume_refused": "training",
    "test_scripts": "process",
    "test_trained_routes": "process",
    "test_trainer": "training",
    "test_training_batches": "training",
    "test_training_options": "training",
    "test_tune_sampling": "training",
    "test_session_terminal": "process",
    "test_setup_routes": "process",
    "test_web": "process",
    "test_web_access": "process",
    "test_web_connections": "process",
    "test_web_queue": "process",
    "test_web_start_and_end": "process",
}
"""What `python3 tests/run.py --quick` leaves out, besides tests that are marked themselves."""
LONGEST = ("model", "training", "browser", "process")
"""Marks of tests that take long, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they cost, and begin with the files that have the longest, so that no worker ends alone."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        marks = {mark for fixture, mark in COSTLY_FIXTURES.items() if fixture in fixtures}
        marks.add(COSTLY_MODULES.get(item.path.stem, ""))
        if "memory" in item.name:
            marks.add("memory")
        for mark in marks - {""}:
            item.add_marker(mark)
    marked = {(item.path, mark.name) for item in items for mark in item.iter_markers()}
    items.sort(key=lambda item: [(item.path, mark) not in marked for mark in LONGEST])


ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "SampleEnvironment" / "selfChatBot_raw" / "Dataset_1_Rowan"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama and a ChatML tokenizer."""
    from tiny_models import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random GPT-2 and a tokenizer without chat template."""
    from tiny_models import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-gpt2", template=None, positions=256)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A folder with a .env and the three directories in it; the working directory of the scripts."""
    lines = [f"selfChatBot_{stage}={stage}" for stage in ("raw", "preprocessed", "results")]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "raw").mkdir()
    return tmp_path


@pytest.fixture
def here(environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment's folder, in which this process works."""
    for variable in [name for name in os.environ if name.startswith("selfChatBot_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(environment)
    return environment


@pytest.fixture
def run(environment: Path) -> Run:
    """Run ``preprocess``, ``train`` or ``play`` as its console script does, in the environment's folder."""

    def run(script: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("selfChatBot_")}
        return run_script(script, arguments, environment, {**variables, "PYTHONUTF8": "1", "COLUMNS": "120"}, **options)

    return run


def one_line_error(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line that a failed script prints; no traceback."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.split("\n") if "error: " in line]
    assert len(errors) == 1, done.stderr
    return errors[0]


def write_training_data(folder: Path, model: Path | str, conversations: int = 12, **parameters: object) -> Path:
    """A preprocessed dataset: a few conversations of the sample's kind, and training parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(conversations):
        messages = []
        for turn in range(4):
            messages.append({"role": "user", "content": f"how are you doing today? {number} {turn}"})
            messages.append({"role": "assistant", "content": "haha yeah\nit's raining again, don't forget 😀"})
        lines.append(json.dumps({"messages": messages, "chat": "c", "start": f"2024-01-{number + 1:02d}T10:00:00"}))
    for name, part in (("train", lines[2:]), ("validation", lines[:1]), ("test", lines[1:2])):
        (folder / f"{name}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
    # A long fall: what is learned by heart comes out letter by letter, and roundings don't grow from step to step.
    # Samples take longer than the training.
    start = {"model": str(model), "type_fine_tune": "lora", "max_length": 128, "samples": 0}
    values = {**start, "learning_rate": 0.01, "cooldown_ratio": 1.0, **parameters}
    (folder / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


WORDS = "haha yeah\nit's raining again, don't forget 😀"
"""What the replies in the training data of the tests say."""


@pytest.fixture(scope="session")
def made_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a base model whose adapters are made, not trained, see `made_model`."""
    from made_model import save_made_base

    return save_made_base(tmp_path_factory.mktemp("models") / "made-llama")


def make_talker(folder: Path, base: Path, reply: str = WORDS) -> Path:
    """A results folder as training leaves it, with a model that answers anything with ``reply`` if it is greedy.

    The next token is so far ahead of the others that only a temperature of 3 or so brings something else.
    """
    from made_model import save_adapter

    from selfchatbot.parameters import GenerationParameters, hand_over

    for checkpoint in ("best", "final"):
        save_adapter(base, folder / checkpoint, reply)
    hand_over(folder, GenerationParameters.start_values(str(base), 128))
    edit_settings(folder, temperature=0.0, max_new_tokens=60)
    return folder


def edit_settings(results: Path, **values: object) -> None:
    """Change the generation parameters of a results folder, as a user would."""
    settings = results / "parameters.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text(encoding="utf-8")), **values}), encoding="utf-8")


@pytest.fixture(scope="session")
def talker(made_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a model that says ``WORDS``: copy it before anything is written there."""
    folder = tmp_path_factory.mktemp("talker")
    name = "Dataset_1_Zoë"
    lines = [f"selfChatBot_{stage}={stage}" for stage in ("raw", "preprocessed", "results")]
    (folder / ".env").write_text("\n".join(lines), encoding="utf-8")
    (folder / "raw" / name).mkdir(parents=True)
    write_training_data(folder / "preprocessed" / name, made_base)
    make_talker(folder / "results" / name, made_base)
    return folder


@pytest.fixture
def dataset(talker: Path, tmp_path: Path) -> "Dataset":
    """A copy of the talker's dataset."""
    from selfchatbot.environment import Environment, find_dataset

    shutil.copytree(talker, tmp_path / "talker")
    stages = {stage: tmp_path / "talker" / stage for stage in ("raw", "preprocessed", "results")}
    return find_dataset(Environment(**stages), "1", "results")


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium or Chrome, as it is installed on this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pages are tested with playwright: pip install it")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("the page needs a browser to be tested in: install Chromium or Chrome")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
