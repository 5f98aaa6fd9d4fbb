"""Who is left out: other names for the same person are named, and what still knows them is said and can be deleted."""

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import Run, one_line_error, write_training_data

from selfchatbot.changes import RECORD_NAME, since_preprocess, since_training
from selfchatbot.conversations.lookalikes import count_parts, is_phone_number, lookalikes
from selfchatbot.environment import Dataset
from selfchatbot.files import fingerprint
from selfchatbot.forgetting import forget, names, remaining
from selfchatbot.parameters import RedactOptions
from selfchatbot.redaction import Redactor
from selfchatbot.session.transcripts import history_file
from selfchatbot.trainer.lock import training_lock

DATASET = "Dataset_1_Zoë"


@pytest.fixture(autouse=True)
def private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.mark.parametrize(
    ("excluded", "other", "alike"),
    [
        ("Daniel", "Daniel Reyes", True),
        ("Daniel Reyes", "Даниэль Рейес", True),
        ("Даниэль", "daniel", True),
        ("Юлия Ковальчук", "yulia.kovalchuk", True),
        ("Mary Lynn", "Mari Lin", False),
        ("Daniel Reyes", "Дмитрий", False),
        ("Daniel Reyes", "daniel", True),
        ("Daniel Reyes", "danielreyes92", True),
        ("Daniel Reyes", "d.reyes", True),
        ("Daniel Reyes", "dreyes", True),
        ("Daniel", "daniel_reyes#0001", True),
        ("José Álvarez", "jose alvarez", True),
        ("daniel", "DanielReyes", True),
        ("Daniel", "Daniela", False),
        ("Daniel Reyes", "Daniel Smith", False),
        ("Daniel Reyes", "Dana", False),
        ("Al", "Albert", False),
        ("😀", "Ana", False),
    ],
)
def test_names_that_look_like_an_excluded_one(excluded: str, other: str, alike: bool) -> None:
    assert lookalikes([other], [excluded]) == ([other] if alike else [])


def test_phone_numbers_are_nobodys_names() -> None:
    assert all(map(is_phone_number, ("+49 170 1234567", "\u202a+49 170 1234567\u202c", "01701234567")))
    assert not any(map(is_phone_number, ("Ana", "Ana 2024", "12", ".......")))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ask Zelda\nFitzgerald", "ask [name]"),
        ("#zeldafitzgerald is here", "#[name] is here"),
        ("zelda_fitzgerald, ZeldaFitzgerald, zelda.fitzgerald", "[name], [name], [name]"),
        ("zelda", "zelda"),
        ("call @491701234567 or 491701234567", "call @[name] or [name]"),
        ("ann ax annax", "[name] annax"),
    ],
)
def test_names_of_excluded_people_however_they_are_written(text: str, left: str) -> None:
    assert Redactor(RedactOptions(), ["zelda fitzgerald", "491701234567", "ann ax"]).text(text) == left


def test_mentions_are_phone_numbers() -> None:
    redactor = Redactor(RedactOptions(phone_numbers=True))
    assert redactor.text("@491701234567 and +49 170 1234567, @4917, a@491701234567") == (
        "[phone] and [phone], @4917, a@491701234567"
    )


def test_first_names_alone_are_counted() -> None:
    lines = [json.dumps({"messages": [{"role": "user", "content": "Zelda? zelda's [name]"}], "chat": "zelda"}).encode()]
    assert count_parts(lines, ["zelda fitzgerald"]) == 2
    assert count_parts(lines, ["zelda"]) == 0
    assert count_parts(lines, ["zëlda"]) == 2


@pytest.fixture
def exports(environment: Path) -> Path:
    """Chats with Daniel Reyes, with his phone number and with his nickname."""
    folder = environment / "raw" / DATASET
    for number, other in enumerate(("Daniel_Reyes", "daniel", "Kim")):
        lines = [f"2024-0{number + 1}-01 10:{n:02d}:00\t{'me' if n % 2 else other}\tDaniel says {n}" for n in range(60)]
        (folder / "IRC").mkdir(parents=True, exist_ok=True)
        (folder / "IRC" / f"irc.net.{number}.weechatlog").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_exclusion(folder, ["Daniel_Reyes"])
    return folder


def write_exclusion(folder: Path, people: list[str]) -> None:
    settings = {"model": "m", "preprocessor_data": {"IRC": {"username": "me"}}, "exclude": {"contacts": people}}
    (folder / "parameters.json").write_text(json.dumps(settings), encoding="utf-8")


def test_preprocess_names_who_is_left_and_what_knows_them(
    exports: Path, environment: Path, run: Run, made_base: Path
) -> None:
    results = environment / "results" / DATASET
    (results / "best").mkdir(parents=True)
    (results / "best" / "adapter_model.safetensors").write_text("")
    os.utime(results / "best" / "adapter_model.safetensors", (1, 1))
    (results / "sessions").mkdir()
    (results / "sessions" / "1.jsonl").write_text("Daniel")
    (results / "metrics.jsonl").write_text("{}")
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "look like excluded ones: add them if they are the same: daniel (30 messages)" in done.stdout
    assert "Kim (" not in done.stdout
    assert "still in the text, 120 times" in done.stdout
    assert "made before: best/, sessions/;" in done.stdout and "--forget" in done.stdout
    summary = json.loads((environment / "preprocessed" / DATASET / "summary.json").read_text(encoding="utf-8"))
    assert summary["leaves_out"] is True and not any("daniel (30" in warning for warning in summary["warnings"])
    with training_lock(results):
        assert "a training is running" in run("preprocess", "-d", "1").stdout
        assert "a training is running" in one_line_error(run("preprocess", "-d", "1", "--forget"), 1)
    done = run("preprocess", "-d", "1", "--forget")
    assert done.returncode == 0, done.stderr
    assert f"deleted from {results}: best/, sessions/" in done.stdout.replace("\n", "")
    assert {path.name for path in results.rglob("*")} - {".training.lock"} == {"sessions", "metrics.jsonl"}
    assert "deleted from" in run("preprocess", "-d", "1", "--forget").stdout
    assert "made before" not in run("preprocess", "-d", "1").stdout


def test_slack_knows_more_names_of_somebody(environment: Path, run: Run) -> None:
    folder = environment / "raw" / DATASET
    (folder / "Slack" / "general").mkdir(parents=True)
    people = [("U1", "me", "Me Myself"), ("U2", "daniel", "Daniel Reyes"), ("U3", "kim", "Kim")]
    members = [
        {"id": key, "team_id": "T", "name": name, "profile": {"display_name": name, "real_name": real}}
        for key, name, real in people
    ]
    (folder / "Slack" / "users.json").write_text(json.dumps(members), encoding="utf-8")
    channel = {"id": "C1", "name": "general", "members": ["U1", "U2", "U3"]}
    (folder / "Slack" / "channels.json").write_text(json.dumps([channel]), encoding="utf-8")
    messages = [
        {"type": "message", "user": f"U{1 + n % 3}", "text": f"hello there {n}", "ts": f"{1704103200 + 60 * n}.000100"}
        for n in range(180)
    ]
    (folder / "Slack" / "general" / "2024-01-01.json").write_text(json.dumps(messages), encoding="utf-8")
    settings = {
        "model": "m",
        "preprocessor_data": {"Slack": {"username": "me"}},
        "exclude": {"contacts": ["daniel reyes"]},
    }
    (folder / "parameters.json").write_text(json.dumps(settings), encoding="utf-8")
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "matches nothing" not in done.stdout
    text = "".join(path.read_text(encoding="utf-8") for path in (environment / "preprocessed").rglob("*.jsonl"))
    assert "hello there 2" in text and '"hello there 1"' not in text and "daniel" not in text


def test_names_and_numbers_are_found_however_they_are_written() -> None:
    redactor = Redactor(RedactOptions(), ["zoë", "+49 170 1234567", "491701234567"])
    text = "Zoe\u0308 and ZOË: +49 (170) 123-4567, 0049/170/1234567, 491701234567, but 4917012345678 and zoes"
    assert redactor.text(text) == "[name] and [name]: [name], 0049/170/1234567, [name], but 4917012345678 and zoes"


def with_record(dataset: Dataset, model: str, **parameters: object) -> None:
    """What training writes beside a model."""
    data = {"train.jsonl": fingerprint(dataset.preprocessed / "train.jsonl")}
    record = {"data": data, "parameters": parameters}
    (dataset.results / model / RECORD_NAME).write_text(json.dumps(record), encoding="utf-8")


def test_a_model_is_compared_with_the_conversations_of_now(dataset: Dataset) -> None:
    for model in ("best", "final"):
        with_record(dataset, model, learning_rate=0.01, epochs=7)
    assert list(since_training(dataset, dataset.results / "best")) == [
        "changed since best/ was trained: epochs; train again to apply that"
    ]
    (dataset.results / "sessions").mkdir()
    for name, when in (("old", 1), ("new", 2**32)):
        (dataset.results / "sessions" / f"{name}.jsonl").write_text("hey")
        os.utime(dataset.results / "sessions" / f"{name}.jsonl", (when, when))
    assert [path.name for path in remaining(dataset)] == ["old.jsonl"]
    with (dataset.preprocessed / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    with_record(dataset, "final")
    (line, _) = since_training(dataset, dataset.results / "best")
    assert line == "the conversations have changed since best/ was trained: train again to use them"
    assert [path.name for path in remaining(dataset)] == ["best", "old.jsonl"]
    history = history_file(dataset.folder)
    history.parent.mkdir(parents=True)
    history.write_text("hey")
    os.utime(history, (1, 1))
    assert names(dataset, remaining(dataset)) == "best/, sessions/, what you typed in sessions"
    forget(dataset)
    assert remaining(dataset) == [] and not history.exists() and (dataset.results / "final").is_dir()
    (dataset.preprocessed / "train.jsonl").unlink()  # nothing to compare with
    assert list(since_training(dataset, dataset.results / "final")) == [] and remaining(dataset) == []


def test_an_unfinished_run_on_the_conversations_of_now_stays(dataset: Dataset) -> None:
    for model in ("best", "final"):
        shutil.rmtree(dataset.results / model)
    for step, digest in ((1, "other"), (2, fingerprint(dataset.preprocessed / "train.jsonl"))):
        folder = dataset.results / "checkpoints" / f"step-{step}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps({"run": {"data": {"train.jsonl": digest}}}), encoding="utf-8")
    assert [path.name for path in remaining(dataset)] == ["step-1"]


def test_what_a_killed_training_left_is_forgotten(dataset: Dataset) -> None:
    nobody = 2**30
    left = [".best.old", f".best.partial-{nobody}", "checkpoints/.best.old", f"checkpoints/.step-5.partial-{nobody}"]
    for name in left:
        (dataset.results / name).mkdir(parents=True)
        (dataset.results / name / "adapter_model.safetensors").write_text("")
        os.utime(dataset.results / name / "adapter_model.safetensors", (1, 1))
    forget(dataset)
    assert not any((dataset.results / name).exists() for name in left)


def test_play_says_what_still_knows_them(environment: Path, talker: Path, run: Run) -> None:
    for stage in ("raw", "preprocessed", "results"):
        shutil.copytree(talker / stage, environment / stage, dirs_exist_ok=True)
    (data,) = (environment / "preprocessed").iterdir()
    play = ("play", "-d", "1", "-t", "prompt", "-p", "hey", "--engine", "transformers")
    (data / "summary.json").write_text('{"leaves_out": true}', encoding="utf-8")
    os.utime(data / "train.jsonl", (1, 1))
    assert "still knows" not in run(*play).stderr
    os.utime(data / "train.jsonl", (2**32, 2**32))
    done = run(*play)
    assert done.returncode == 0
    assert "the conversations have changed since best/ was trained" in done.stderr
    assert (
        "best/ still knows what you left out since; made from the conversations as they were: best/, final/"
        in done.stderr
    )
    assert "selfChatBot_preprocess -d 1 --forget" in done.stderr and "still knows" not in done.stdout


def test_parameters_edited_after_preprocess_are_mentioned(dataset: Dataset) -> None:
    assert list(since_preprocess(dataset)) == []
    (dataset.preprocessed / "summary.json").write_text("{}")
    (dataset.raw / "parameters.json").write_text("{}")
    os.utime(dataset.preprocessed / "summary.json", (1, 1))
    (line,) = since_preprocess(dataset)
    assert "edited after selfChatBot_preprocess ran" in line


@pytest.mark.training
def test_training_again_says_what_it_replaces(environment: Path, tiny_model: Path, run: Run) -> None:
    (environment / "raw" / DATASET).mkdir()
    write_training_data(
        environment / "preprocessed" / DATASET, tiny_model, epochs=0.1, evaluations_per_epoch=1, choose_sampling=False
    )
    first, second = (run("train", "-d", "1") for _ in range(2))
    assert first.returncode == second.returncode == 0, second.stderr
    assert "is kept in runs/" not in first.stderr and "the run before this one is kept in runs/" in second.stderr
    record = json.loads((environment / "results" / DATASET / "best" / RECORD_NAME).read_text(encoding="utf-8"))
    assert record["data"].keys() == {"train.jsonl", "validation.jsonl"} and record["parameters"]["max_length"] == 128
    assert "since best/" not in run("play", "-d", "1", "-t", "prompt", "-p", "hey").stderr
