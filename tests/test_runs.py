"""Trainings have names; a finished one is kept when the next begins, and can be played and compared."""

import json
from pathlib import Path

import pytest
from conftest import WORDS, Run, make_talker, one_line_error, write_training_data

from selfchatbot.environment import Dataset, Environment
from selfchatbot.errors import UsageError
from selfchatbot.runs import begin_run, check_name, chosen_run, kept_runs, run_name


def finished(results: Path, name: str) -> None:
    begin_run(results, name)
    (results / "best").mkdir()
    (results / "best" / "weights").write_text(name)
    (results / "final").mkdir()
    (results / "parameters.json").write_text('{"temperature": 0.7}')


def test_a_finished_run_is_moved_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    finished(tmp_path, "first")
    (tmp_path / "sessions").mkdir()
    (tmp_path / "likeness.json").write_text("{}")
    assert begin_run(tmp_path, "second") == "first"
    kept = tmp_path / "runs" / "first"
    assert (kept / "best" / "weights").read_text() == "first"
    assert {path.name for path in kept.iterdir()} == {"best", "final", "parameters.json", "likeness.json", "run.json"}
    # How it talks may have been edited: the next run goes on with that.
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "sessions", "parameters.json", "run.json"}
    assert run_name(tmp_path) == "second" and run_name(kept) == "first"


def test_logs_of_tensorboard_are_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs" / "events" / "selfchatbot").mkdir(parents=True)
    finished(tmp_path, "first")
    begin_run(tmp_path, "second")
    assert kept_runs(tmp_path) == ["first"]
    assert (tmp_path / "runs" / "events").exists()


def test_an_unfinished_run_stays_where_it_is(tmp_path: Path) -> None:
    begin_run(tmp_path, "first")
    (tmp_path / "best").mkdir()
    assert begin_run(tmp_path, "again") is None
    assert kept_runs(tmp_path) == []


def test_a_move_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    finished(tmp_path, "first")
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "best").rename(tmp_path / "runs" / "first" / "best")
    begin_run(tmp_path, None)
    assert {path.name for path in (tmp_path / "runs" / "first").iterdir()} >= {"best", "final", "run.json"}


@pytest.mark.parametrize("name", ["../../elsewhere", "", ".", "x\x1b[2J", 5, None, "a" * 300])
def test_a_name_that_leads_elsewhere_is_none(tmp_path: Path, name: object) -> None:
    results = tmp_path / "results" / "Dataset_1_Zoë"
    results.mkdir(parents=True)
    finished(results, "first")
    (results / "run.json").write_text(json.dumps({"name": name}), encoding="utf-8")
    begin_run(results, "second")
    (kept,) = (results / "runs").iterdir()
    assert check_name(kept.name) is None and (kept / "best" / "weights").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_run_of_an_older_version_gets_the_day_it_ended_as_its_name(tmp_path: Path) -> None:
    for name in ("best", "final"):
        (tmp_path / name).mkdir()
    kept = begin_run(tmp_path, None)
    assert kept and kept_runs(tmp_path) == [kept] and kept[:2] == "20"


def test_the_newest_run_with_a_model_is_played_unless_one_is_named(tmp_path: Path) -> None:
    finished(tmp_path, "first")
    finished(tmp_path, "second")
    assert chosen_run(tmp_path, None) is None
    assert chosen_run(tmp_path, "first") == "first"
    assert chosen_run(tmp_path, "second") is None
    with pytest.raises(UsageError, match="there are: first, second"):
        chosen_run(tmp_path, "third")
    begin_run(tmp_path, None)
    assert chosen_run(tmp_path, None) == "second"
    dataset = Dataset("1", "Dataset_1_x", Environment(tmp_path, tmp_path, tmp_path), "second")
    assert dataset.results == tmp_path / "Dataset_1_x" / "runs" / "second"


def test_two_runs_of_one_minute_have_two_names(tmp_path: Path) -> None:
    for _ in range(3):
        begin_run(tmp_path, None)
        (tmp_path / "final").mkdir()
    begin_run(tmp_path, None)
    assert len({*kept_runs(tmp_path), run_name(tmp_path)}) == 4
    (tmp_path / "final").mkdir()
    with pytest.raises(UsageError, match="already"):
        begin_run(tmp_path, run_name(tmp_path))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x" * 100, "a\n", "x."])
def test_names_that_no_folder_should_have(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
    check_name("wärmer, 2 epochs".replace(",", ""))


def test_both_runs_can_be_talked_to(run: Run, environment: Path, made_base: Path) -> None:
    data = write_training_data(environment / "preprocessed" / "Dataset_1_x", made_base)
    results = environment / "results" / data.name
    make_talker(results, made_base, "the old one")
    begin_run(results, "new")
    (kept,) = kept_runs(results)
    make_talker(results, made_base)
    talk = ("play", "-d", "1", "-t", "prompt", "-p", "hey", "--engine", "transformers")
    assert WORDS in run(*talk).stdout
    assert "the old one" in run(*talk, "--run", kept).stdout
    assert f"there are: {kept}" in one_line_error(run(*talk, "--run", "other"), 2)
    assert json.loads((results / "run.json").read_text(encoding="utf-8"))["name"] == "new"
