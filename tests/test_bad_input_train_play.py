"""What can go wrong with train and play: one line, no traceback, the right exit code, nothing lost."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest
from conftest import Run, one_line_error, write_training_data

NAME = "Dataset_1_Zoë the 2nd"


@pytest.fixture
def data(environment: Path, tiny_model: Path) -> Path:
    """A preprocessed dataset in the environment."""
    (environment / "raw" / NAME).mkdir()
    return write_training_data(environment / "preprocessed" / NAME, tiny_model, epochs=1)


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder."""
    import torch

    from selfchatbot.models import Machine
    from selfchatbot.parameters import TrainingParameters, read_parameters
    from selfchatbot.trainer import Trainer

    folder = tmp_path_factory.mktemp("trained")
    data = write_training_data(folder / "data", tiny_model, epochs=1)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, folder / "results", machine=Machine("cpu", torch.float32)).train()
    return folder / "results"


@pytest.fixture
def results(environment: Path, trained: Path) -> Path:
    folder = environment / "results" / NAME
    shutil.copytree(trained, folder)
    return folder


def edit(folder: Path, **changes: object) -> None:
    path = folder / "parameters.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("script", ["train", "play"])
def test_no_dataset_id_is_wrong_usage(run: Run, script: str) -> None:
    assert "-d" in one_line_error(run(script), 2)


@pytest.mark.parametrize("script", ["train", "play"])
def test_a_dataset_that_is_not_there_lists_those_that_are(run: Run, data: Path, results: Path, script: str) -> None:
    error = one_line_error(run(script, "-d", "7"), 2)
    assert "Dataset_7" in error and NAME in error


def test_preprocess_not_run(run: Run, data: Path) -> None:
    (data / "train.jsonl").unlink()
    assert "run selfChatBot_preprocess -d 1" in one_line_error(run("train", "-d", "1"), 1)
    shutil.rmtree(data)
    error = one_line_error(run("train", "-d", "1"), 1)
    assert "run selfChatBot_preprocess -d 1" in error


def test_train_not_run(run: Run, data: Path, results: Path) -> None:
    shutil.rmtree(results / "final")
    assert "run selfChatBot_train -d 1" in one_line_error(run("play", "-d", "1", "-mt", "final", "-t", "session"), 1)
    shutil.rmtree(results)
    assert "run selfChatBot_train -d 1" in one_line_error(run("play", "-d", "1"), 1)


def test_prompt_without_words_is_wrong_usage(run: Run, results: Path) -> None:
    assert '-p "what you say"' in one_line_error(run("play", "-d", "1", "-t", "prompt"), 2)
    assert '-p "what you say"' in one_line_error(run("play", "-d", "1", "-t", "prompt", "-p", " "), 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"learning_rte": 0.1}, 'did you mean "learning_rate"?'),
        ({"epochs": "3"}, 'key "epochs": found "3", expected a valid number'),
        ({"epochs": -1}, 'key "epochs": found -1, expected greater than 0'),
        ({"type_fine_tune": "full"}, "key \"type_fine_tune\": found \"full\", expected 'lora', 'qlora' or 'fine_tune'"),
        ({"max_length": True}, 'key "max_length": found true'),
    ],
)
def test_wrong_training_parameters(run: Run, data: Path, changes: dict[str, object], expected: str) -> None:
    edit(data, **changes)
    error = one_line_error(run("train", "-d", "1"), 2)
    assert expected in error and "parameters.json" in error


def test_broken_parameters_name_the_line(run: Run, data: Path, results: Path) -> None:
    for script, folder in (("train", data), ("play", results)):
        (folder / "parameters.json").write_text('{\n  "model": "x",\n  "epochs": }\n', encoding="utf-8")
        assert "line 3" in one_line_error(run(script, "-d", "1"), 2)


def test_a_missing_model_key_and_an_unknown_model(run: Run, data: Path) -> None:
    edit(data, model="./no such folder")
    assert 'model "./no such folder"' in one_line_error(run("train", "-d", "1"), 2)
    values = json.loads((data / "parameters.json").read_text(encoding="utf-8"))
    del values["model"]
    (data / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    assert 'key "model" is missing' in one_line_error(run("train", "-d", "1"), 2)


def test_broken_training_data_names_file_and_line(run: Run, data: Path) -> None:
    lines = (data / "train.jsonl").read_text(encoding="utf-8").split("\n")
    lines[2] = lines[2][: len(lines[2]) // 2]
    (data / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    error = one_line_error(run("train", "-d", "1"), 1)
    assert "train.jsonl, line 3" in error
    assert "umbrella" not in error


def test_no_reply_to_train(run: Run, data: Path) -> None:
    (data / "train.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n', encoding="utf-8")
    assert "no reply of yours" in one_line_error(run("train", "-d", "1"), 1)


def test_a_corrupt_checkpoint(run: Run, results: Path) -> None:
    weights = results / "best" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    error = one_line_error(run("play", "-d", "1", "-t", "prompt", "-p", "hi"), 1)
    assert "best is damaged" in error


def test_a_results_folder_that_cannot_be_written(run: Run, data: Path, environment: Path) -> None:
    (environment / "results").mkdir()
    (environment / "results" / NAME).write_text("a file in its place", encoding="utf-8")
    error = one_line_error(run("train", "-d", "1"), 1)
    assert NAME in error


def limit_files() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_keeps_the_former_checkpoint(run: Run, data: Path, results: Path) -> None:
    """The limit on the size of files stands in for a full disk: writing fails in the middle of a file."""
    pytest.importorskip("resource")
    before = (results / "best" / "adapter_model.safetensors").read_bytes()
    error = one_line_error(run("train", "-d", "1", before=limit_files), 1)
    assert "unexpected" not in error
    (kept,) = results.glob(
        "runs/*/best/adapter_model.safetensors"
    )  # the run before, which is played until there is a new one
    assert kept.read_bytes() == before
    assert run("play", "-d", "1", "-t", "prompt", "-p", "hey").returncode == 0
    assert not list(results.glob(".*partial*"))


def test_a_session_in_a_pipe(run: Run, results: Path) -> None:
    """What an untrained model says may hold the prompt's own characters: those are not counted."""
    kept = results / "kept.jsonl"
    done = run("play", "-d", "1", input=f"hey\n\nhow are you doing today?\n/save {kept}\nexit\n/help\n")
    assert done.returncode == 0, done.stderr
    said = [message["content"] for message in json.loads(kept.read_text(encoding="utf-8"))["messages"]]
    assert said[::2] == ["hey", "how are you doing today?"]
    assert done.stdout.count("> ") - sum(reply.count("> ") for reply in said[1::2]) == 5
    assert "/retry" not in done.stdout
    assert "<|" not in done.stdout
    done = run("play", "-d", "1", "-t", "session", input="hey\n")  # the end of the pipe is Ctrl-D
    assert done.returncode == 0, done.stderr


def test_prompt_prints_as_many_responses_as_parameters_say(run: Run, results: Path) -> None:
    edit(results, num_return_sequences=2, max_new_tokens=8)
    done = run("play", "-d", "1", "-t", "prompt", "-p", "hey", "-mt", "final")
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.split("\n") if line.startswith("Response")] == [
        "Response 1",
        "Response 2",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("megabytes", [1500])  # with less, libraries end the process themselves
@pytest.mark.parametrize("arguments", [("train",), ("play", "-t", "prompt", "-p", "hi", "--engine", "transformers")])
def test_little_memory(run: Run, data: Path, results: Path, megabytes: int, arguments: tuple[str, ...]) -> None:
    """Wherever it ends: while a library is loaded, a thread started or a tensor made."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20,) * 2)

    done = run(arguments[0], "-d", "1", *arguments[1:], preexec_fn=limit)
    if done.returncode:
        assert "out of memory: " in one_line_error(done, 1)
