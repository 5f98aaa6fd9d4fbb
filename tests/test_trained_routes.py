"""``/setup/`` of ``-t web``, for what is trained: evaluate, export, compare runs, forget."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import make_talker, write_training_data
from setup_requests import ended, get, load, post, until
from web_server import ask, serving

from selfchatbot.web.setup_routes import Setup

FOLDER = "Dataset_1_Rowan"


@pytest.fixture
def address(here: Path) -> Iterator[str]:
    with serving(None, setup=Setup(load)) as address:
        yield address


@pytest.fixture
def trained(here: Path, made_base: Path) -> Path:
    """The results of a dataset with a model, conversations to evaluate it with, and an earlier run."""
    data = write_training_data(here / "preprocessed" / FOLDER, made_base)
    shutil.copy(data / "train.jsonl", data / "test.jsonl")
    (data / "summary.json").write_text("{}", encoding="utf-8")
    results = make_talker(here / "results" / FOLDER, made_base)
    make_talker(results / "runs" / "first try", made_base)
    for folder, loss in ((results, 1.25), (results / "runs" / "first try", 1.5)):
        lines = [
            json.dumps({"step": step, "epoch": step / 9, "validation_loss": value})
            for step, value in ((0, 4.0), (9, loss))
        ]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        record = {"parameters": {"epochs": loss, "seed": 1}}
        (folder / "best" / "training.json").write_text(json.dumps(record), encoding="utf-8")
    return results


def test_runs_are_compared_by_their_losses_and_what_differs(trained: Path, address: str) -> None:
    newest, earlier = get(address, "runs?dataset=1")["runs"]
    assert (newest["run"], earlier["run"], earlier["name"]) == (None, "first try", "first try")
    assert (newest["base"], newest["best"], earlier["best"]) == (4.0, 1.25, 1.5)
    assert (newest["parameters"], earlier["parameters"]) == ({"epochs": "1.25"}, {"epochs": "1.5"})
    assert newest["auc"] is None and not newest["likeness"]
    assert post(address, "likeness", 404, dataset="1") == "this run has not been evaluated yet"


@pytest.mark.training
def test_an_earlier_run_is_exported(trained: Path, address: str) -> None:
    post(address, "export", dataset="1", run="first try")
    assert "is ready" in ended(address)["lines"][-1]
    assert (trained / "runs" / "first try" / "export" / "README.md").is_file()


@pytest.mark.training
def test_an_earlier_run_is_evaluated_and_its_report_opened(trained: Path, address: str) -> None:
    post(address, "talk", dataset="1")
    post(address, "evaluate", dataset="1", run="first try")
    assert get(address, "state")["talking"] is None  # the memory is for the evaluation
    assert "the machine is evaluating" in post(address, "evaluate", 409, dataset="1")
    assert until(address, lambda task: task["progress"] is not None)["progress"]["steps"] > 0
    done = ended(address)
    assert not done["failed"], done["message"]
    assert done["lines"][-1].endswith(str(Path("runs", "first try", "likeness.html")))
    newest, earlier = get(address, "runs?dataset=1")["runs"]
    assert earlier["likeness"] and earlier["auc"] and not newest["likeness"]
    report = post(address, "likeness", dataset="1", run="first try")["address"]
    status, headers, page = ask(address, f"/{report}")
    assert status == 200 and b"Is it me?" in page and "script-src" not in headers["Content-Security-Policy"]


def test_only_what_was_shown_is_forgotten(trained: Path, address: str) -> None:
    post(address, "talk", dataset="1")
    with (trained.parent.parent / "preprocessed" / FOLDER / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(
            json.dumps({"messages": [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "ho"}]})
        )
    time_of_models = time.time() - 100
    for path in trained.rglob("*"):
        os.utime(path, (time_of_models, time_of_models))
    what = get(address, "remaining?dataset=1")["what"]
    assert what == "best/, final/, runs/"
    assert "has changed" in post(address, "forget", 409, dataset="1", what="best/")
    assert (trained / "best").is_dir()
    assert post(address, "forget", dataset="1", what=what) == {"deleted": what}
    assert not any((trained / name).exists() for name in ("best", "final", "runs/first try"))
    assert get(address, "state")["talking"] is None
