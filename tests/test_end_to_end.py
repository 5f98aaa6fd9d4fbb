"""From a real export to a reply, with the real embedded model: the three commands as a user types them."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import SAMPLE, Run

from selfchatbot.messages import read_conversations

NAME = "Dataset_1_Rowan"


@pytest.mark.model
def test_a_channel_to_a_reply(run: Run, environment: Path) -> None:
    exports = environment / "raw" / NAME / "DiscordChatExporter"
    exports.mkdir(parents=True)
    (channel,) = (SAMPLE / "DiscordChatExporter").glob("*kai.593*")
    shutil.copy(channel, exports)
    parameters = json.loads("\n".join(line.split(" //")[0] for line in _lines(SAMPLE / "parameters.json")))
    training = {
        "epochs": 0.2,
        "learning_rate": 0.002,
        "evaluations_per_epoch": 1,
        "choose_sampling": False,
        "samples": 0,
    }
    parameters = {**parameters, "max_length": 256, "training": training}
    (environment / "raw" / NAME / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")

    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "Next: selfChatBot_train -d 1" in done.stdout
    assert list(read_conversations(environment / "preprocessed" / NAME / "validation.jsonl"))

    done = run("train", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "Next: selfChatBot_play -d 1 -t session" in done.stdout
    results = environment / "results" / NAME
    records = [json.loads(line) for line in _lines(results / "metrics.jsonl") if line]
    losses = [record["validation_loss"] for record in records if "validation_loss" in record]
    assert min(losses[1:]) < losses[0] - 0.2

    generation = json.loads("\n".join(_lines(results / "parameters.json")))
    settings = {"num_return_sequences": 3, "max_new_tokens": 20}
    (results / "parameters.json").write_text(json.dumps({**generation, **settings}), encoding="utf-8")
    done = run("play", "-d", "1", "-t", "prompt", "-p", "hey, how was your day?")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Response 1: ")
    assert "Response 3: " in done.stdout
    assert "<|" not in done.stdout


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")
