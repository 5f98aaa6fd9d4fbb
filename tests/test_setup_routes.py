"""``/setup/`` of ``-t web``: files, who I am, preprocess, training and talking, as the page asks for them."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import SAMPLE, Run, make_talker, one_line_error, write_training_data
from setup_requests import OCTETS, ended, get, load, post, put, until
from web_server import ask, serving

from selfchatbot.parameters import RawParameters, read_parameters
from selfchatbot.web.setup_routes import Setup

DISCORD = sorted((SAMPLE / "DiscordChatExporter").glob("*.txt"))
FOLDER = "Dataset_1_Rowan"


@pytest.fixture
def address(here: Path) -> Iterator[str]:
    with serving(None, setup=Setup(load)) as address:
        yield address


def test_files_are_received_in_private_and_named_by_what_they_are(address: str, here: Path) -> None:
    assert put(address, DISCORD[0]) == 200
    assert put(address, b"milk", "notes.txt") == 200
    assert put(address, DISCORD[1], "Downloads/Discord/one.txt") == 200
    assert put(address, b"x" * 3_000_000, "Downloads/holiday.json") == 200
    found = {one["name"]: one for one in get(address, "files")["files"]}
    assert found[DISCORD[0].name]["formats"] == {"Discord": 1}
    assert found["Downloads"]["formats"] == {"Discord": 1} and found["Downloads"]["folder"]
    assert found["notes.txt"]["problem"].startswith("notes.txt is no export that is known here")
    (uploads,) = (here / "raw").iterdir()
    assert {stat.S_IMODE(path.stat().st_mode) for path in uploads.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (uploads, uploads / "Downloads")} == {0o700}
    post(address, "clear")
    assert get(address, "files")["files"] == [] and not list((here / "raw").iterdir())


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/passwd", "a/../../b", "a\\..\\..\\b", "", "a\nb", "a/" * 30 + "b"]
)
def test_a_name_that_leads_elsewhere_is_refused(address: str, here: Path, name: str) -> None:
    get(address, "datasets")  # makes the folders
    before = sorted(here.rglob("*"))
    assert ask(address, f"/setup/files?path={quote(name)}", b"x", OCTETS, "PUT")[0] == 400
    assert sorted(here.rglob("*")) == before


def test_names_of_files_that_a_disk_does_not_take(address: str, here: Path) -> None:
    get(address, "datasets")
    assert put(address, DISCORD[0], "é" * 125 + ".txt") == 200  # the longest that it takes
    assert put(address, b"x", "a" * 300) == put(address, b"x", "é" * 125 + ".txt/b") == 400
    assert [list(one["formats"].values()) for one in get(address, "files")["files"]] == [[1]]
    assert len(list((here / "raw").rglob("*"))) == 2


def test_names_that_are_no_text_do_not_stop_the_page(address: str, here: Path, made_base: Path) -> None:
    get(address, "datasets")
    results = make_talker(here / "results" / FOLDER, made_base)
    (results / "runs").mkdir()
    for broken in (results / "runs" / "\udcff", here / "raw" / "Dataset_\udcff_\udcfe"):
        try:
            (broken / "best").mkdir(parents=True)
        except (OSError, ValueError):
            pytest.skip("this disk takes text only")
    assert [one["id"] for one in get(address, "datasets")["datasets"]] == ["1", "\udcff"]
    assert [one["name"] for one in get(address, "runs?dataset=1")["runs"]][1:] == ["\udcff"]
    assert "is neither on this machine" in post(address, "check", model="m" * 300)["problem"]


def test_who_i_am_may_have_characters_that_nobody_sees(address: str, tiny_model: Path) -> None:
    me = "Zoë\u202e"
    lines = [f"2024-01-01 {n // 60:02d}:{n % 60:02d}:00\t{me if n % 2 else 'Eve'}\thello {n}" for n in range(200)]
    put(address, "\n".join(lines).encode() + b"\n", "irc.net.#a.weechatlog")
    post(address, "create", name="Zoë", model=str(tiny_model))
    who = ended(address)["who"]
    assert who["senders"] == {"Eve": 100, me: 100}
    post(address, "preprocess", dataset="1", format=who["format"], me=me)
    assert not ended(address)["failed"]


def test_parameters_stay_readable(address: str, here: Path, made_base: Path) -> None:
    get(address, "datasets")
    (here / "raw" / FOLDER).mkdir()
    parameters = here / "raw" / FOLDER / "parameters.json"
    parameters.write_text('{"model": "m"}', encoding="utf-8")
    assert "that is too much" in post(address, "preprocess", 400, dataset="1", left_out=["x" * 2**20])
    assert parameters.read_text(encoding="utf-8") == '{"model": "m"}'


def test_what_waits_is_bounded_and_gone_with_the_server(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfchatbot.web.uploads.MAX_BYTES", 3_000_000)
    with serving(None, setup=Setup(load)) as address:
        assert put(address, b"x" * 2_500_000, "a.json") == 200
        assert put(address, b"x" * 2_500_000, "b.json") == 413
        assert [one["name"] for one in get(address, "files")["files"]] == ["a.json"]
        (uploads,) = (here / "raw").iterdir()
        assert [path.name for path in uploads.iterdir()] == ["a.json"]
    assert not uploads.exists()


def test_other_pages_can_neither_send_files_nor_ask(address: str) -> None:
    for kind in ("text/plain", "multipart/form-data", "application/json"):
        assert put(address, b"x", "a.txt", kind) == 415
    assert ask(address, "/setup/clear", b"{}", {"Content-Type": "text/plain"})[0] == 415
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(address, "/setup/state", headers=headers)[0] == 403


def test_a_token_is_needed_for_everything_but_the_empty_page(here: Path) -> None:
    with serving(None, setup=Setup(load), token="correct-horse-battery") as address:
        assert ask(address, "/setup.html")[0] == ask(address, "/setup.js")[0] == 200
        assert ask(address, "/setup/state")[0] == put(address, b"x") == 401
        assert ask(address, "/setup/state", headers={"Authorization": "Bearer correct-horse-battery"})[0] == 200


def test_without_a_model_the_page_leads_to_the_setup(address: str) -> None:
    status, headers, _ = ask(address, "/")
    assert (status, headers["Location"]) == (303, "setup.html")
    status, _, content = ask(address, "/v1/models")
    assert status == 503 and b"no model is loaded" in content
    assert ask(address, "/style.css")[0] == 200


def test_a_server_that_others_reach_with_a_model_has_no_setup(here: Path, made_base: Path) -> None:
    make_talker(here / "results" / FOLDER, made_base)
    with serving(load("1", None).player) as address:
        assert ask(address, "/setup/state")[0] == 404
        assert json.loads(ask(address, "/about")[2])["setup"] is False


def test_from_files_to_a_dataset_with_the_question_who_i_am(address: str, here: Path, tiny_model: Path) -> None:
    assert "no export among the files" in post(address, "create", 400, name="Rowan", model=str(tiny_model))
    put(address, DISCORD[0])
    assert "name of Ollama" in post(address, "create", 400, name="Rowan", model="llama3.2:3b")
    assert '"..." can\'t be the name' in post(address, "create", 400, name="...", model=str(tiny_model))
    assert post(address, "create", name="Rowan", model=str(tiny_model)) == {"dataset": "1"}
    task = ended(address)
    assert task["failed"] and task["message"].count("\n") == 0
    assert "set it to your name" in task["message"]
    assert task["who"]["format"] == "DiscordChatExporter" and task["who"]["senders"]["rowan"] > 100
    assert [one["read"] for one in get(address, "datasets")["datasets"]] == [False]
    post(address, "preprocess", dataset="1", format="DiscordChatExporter", me="rowan")
    task = ended(address)
    assert not task["failed"] and "Next: selfChatBot_train -d 1" in task["lines"][-1]
    parameters = read_parameters(here / "raw" / FOLDER / "parameters.json", RawParameters)
    assert parameters.preprocessor_data == {"DiscordChatExporter": {"username": "rowan"}}
    assert (parameters.model, parameters.type_fine_tune) == (str(tiny_model), "lora")
    summary = get(address, "summary?dataset=1")
    assert summary["formats"][0]["me"] == ["rowan"] and summary["example"][-1]["role"] == "assistant"
    # The files that waited are gone, and more can be added.
    assert get(address, "files")["files"] == []
    for new in (1, 0):
        put(address, DISCORD[1])
        assert post(address, "add", dataset="1") == {"added": new}
        assert not ended(address)["failed"]
    # Whoever is left out is named only in the list of them.
    assert summary["left_out"] == [] and "gale.816" in json.dumps(summary)
    post(address, "preprocess", dataset="1", left_out=["gale.816"])
    assert not ended(address)["failed"]
    summary = get(address, "summary?dataset=1")
    assert summary.pop("left_out") == ["gale.816"] and "gale.816" not in json.dumps(summary)
    put(address, DISCORD[2])
    assert "is there already" in post(address, "create", 400, name="rowan", model=str(tiny_model))
    assert [one["name"] for one in get(address, "files")["files"]] == [DISCORD[2].name]


def test_the_first_dataset_makes_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(None, setup=Setup(load)) as address:
        assert get(address, "datasets")["datasets"] == []
        put(address, DISCORD[0])
        post(address, "create", name="Rowan", model=str(tiny_model))
        ended(address)
    assert "selfChatBot_raw=" in (tmp_path / ".env").read_text()
    assert not list(tmp_path.glob(".uploads*")) and (tmp_path / "selfChatBot_raw" / FOLDER).is_dir()


def test_wrong_requests_are_one_line(address: str) -> None:
    assert "no Dataset_9_<Name>" in post(address, "train", 400, dataset="9")
    assert post(address, "train", 400, dataset=5).startswith("dataset: ")
    assert post(address, "create", 400, name="x", model="x", method="magic").startswith("method: ")
    assert "can't be called" in post(address, "train", 400, dataset="1", name="a/b")
    post(address, "stop")


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_command_without_a_dataset_or_a_model_serves_the_page(here: Path, run: Run) -> None:
    assert "are required: -d/--dataset" in one_line_error(run("play", "-t", "session"), 2)
    assert "no Dataset_7_<Name>" in one_line_error(run("play", "-d", "7", "-t", "web"), 2)
    (here / "raw" / FOLDER).mkdir()
    for options, place in (((), "/setup.html "), (("-d", "1"), "/setup.html#1 ")):
        command = [sys.executable, "-m", "selfchatbot.cli.play", "-t", "web", "--port", "0", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert place in line, line
            address = line.split(" at ")[1].split("/setup.html")[0]
            assert get(address, "state") == {"task": None, "talking": None}
            process.terminate()
            stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, stdout, stderr) == (0, "The server has stopped.\n", "")


@pytest.mark.training
def test_training_is_shown_stopped_resumed_and_talked_to(here: Path, made_base: Path) -> None:
    options = {"epochs": 40, "samples": 2, "choose_sampling": False}
    write_training_data(here / "preprocessed" / FOLDER, made_base, 24, **options)
    (here / "raw" / FOLDER).mkdir()
    with serving(None, setup=Setup(load)) as address:
        post(address, "train", dataset="1", name="first")
        assert "one thing at a time: the machine is training" in post(address, "train", 409, dataset="1")
        assert "one thing at a time" in post(address, "preprocess", 409, dataset="1")
        assert "one thing at a time" in post(address, "talk", 409, dataset="1")
        task = until(address, lambda task: (task["progress"] or {}).get("step", 0) > 2 and task["samples"])
        assert task["progress"]["seconds_left"] > 0 and task["progress"]["steps"] > 100
        assert {"question", "mine", "answer"} == set(task["samples"]["samples"][0])
        assert any("loss" in record for record in get(address, "metrics?dataset=1")["records"])
        post(address, "stop")
        task = ended(address)
        assert not task["failed"] and "resumes" in task["message"]
        assert get(address, "datasets")["datasets"][0]["unfinished"]
        steps = [record["step"] for record in get(address, "metrics?dataset=1")["records"]]
    # Another server talks to what there is, and goes on where the other one was.
    with serving(None, setup=Setup(load)) as address:
        post(address, "talk", dataset="1")
        assert get(address, "state")["talking"] == {"dataset": "1", "run": None}
        assert json.loads(ask(address, "/about")[2])["name"] == "Rowan"
        chat = {"messages": [{"role": "user", "content": "hey"}], "max_tokens": 3}
        assert ask(address, "/v1/chat/completions", json.dumps(chat).encode())[0] == 200
        # A training takes the memory of the model.
        post(address, "train", dataset="1")
        assert ask(address, "/v1/chat/completions", json.dumps(chat).encode())[0] == 503
        until(address, lambda task: (task["progress"] or {}).get("step", 0) > max(steps) + 2)
    # It was stopped with the server, and saved.
    found = get_offline(here)
    assert found[: len(steps)] == steps and len(found) > len(steps)
    assert list((here / "results" / FOLDER / "checkpoints").glob("step-*"))


def get_offline(here: Path) -> list[int]:
    lines = (here / "results" / FOLDER / "metrics.jsonl").read_text().strip().split("\n")
    return [json.loads(line)["step"] for line in lines]
