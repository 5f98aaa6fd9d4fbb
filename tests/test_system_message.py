"""The `system` template: what tells the model with whom it talks is the same text in training and in playing."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, one_line_error
from tiny_models import TEMPLATES, tiny_tokenizer

from selfchatbot.chat_format import ChatFormat
from selfchatbot.conversations.stage import preprocess
from selfchatbot.environment import Dataset, Environment
from selfchatbot.errors import ParametersError
from selfchatbot.messages import read_conversations
from selfchatbot.parameters import RawParameters, validate
from selfchatbot.session.contacts import contact_messages

TEMPLATE = "You are {me}, chatting with {contact} on {format}. {{}}"


@pytest.fixture
def dataset(environment: Path) -> Dataset:
    """Chats with Moss and with a number that is redacted; few and long, so that one has to be cut for the splits."""
    stages = Environment(*(environment / stage for stage in ("raw", "preprocessed", "results")))
    found = Dataset("1", "Dataset_1_Rowan", stages)
    stages.preprocessed.mkdir()
    for number, contact in enumerate(("Moss", "+49 1512 3456789")):
        path = found.raw / "WhatsApp" / f"WhatsApp Chat with {contact}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for minute in range(60):
            time = datetime(2024, 3, 1 + number, 12) + timedelta(minutes=minute)
            lines.append(f"{time:%d.%m.%y, %H:%M} - {'Rowan' if minute % 2 else contact}: text {minute}\n")
        path.write_text("".join(lines), encoding="utf-8")
    return found


def write_parameters(dataset: Dataset, **values: Any) -> None:
    values = {"model": "m", "preprocessor_data": {"WhatsApp": {"username": "Rowan"}}, **values}
    (dataset.raw / "parameters.json").write_text(json.dumps(values), encoding="utf-8")


def test_training_and_playing_say_the_same(dataset: Dataset) -> None:
    write_parameters(dataset, system=TEMPLATE, redact={"phone_numbers": True})
    preprocess(dataset)
    known = contact_messages(dataset.preprocessed)
    assert known == {
        "Moss": "You are Rowan, chatting with Moss on WhatsApp. {}",
        "[phone]": "You are Rowan, chatting with [phone] on WhatsApp. {}",
    }
    for name in ("train", "validation", "test"):
        path = dataset.preprocessed / f"{name}.jsonl"
        contacts = [json.loads(line)["contact"] for line in path.open(encoding="utf-8")]
        assert contacts
        for contact, messages in zip(contacts, read_conversations(path), strict=True):
            assert [message["role"] for message in messages[:3]] == ["system", "user", "assistant"]
            for template in TEMPLATES.values():
                chat_format = ChatFormat(tiny_tokenizer(template))
                # What `/as` puts before what is typed.
                prompt = chat_format.prompt([{"role": "system", "content": known[contact]}, messages[1]], 512)
                assert next(chat_format.windows([messages], 512)).input_ids[: len(prompt)] == prompt
                assert known[contact] in chat_format.tokenizer.decode(prompt)


def test_off_unless_asked_for(dataset: Dataset) -> None:
    write_parameters(dataset)
    preprocess(dataset)
    assert contact_messages(dataset.preprocessed) == {}


@pytest.mark.parametrize("text", ["hi {contakt}", "{contact.format}", "{contact[0]}", "{}", "{0}", "{contact", "me}"])
def test_an_unknown_placeholder_names_the_key(text: str) -> None:
    with pytest.raises(ParametersError, match=r'^p: key "system": found .*, expected '):
        validate(RawParameters, {"model": "m", "system": text}, "p")


@pytest.mark.parametrize("text", ["{contact!r}", "{contact:>10}"])
def test_nothing_but_placeholders_is_formatted(text: str) -> None:
    with pytest.raises(ParametersError, match=r"no other placeholder than \{me\} \{contact\} \{format\}"):
        validate(RawParameters, {"model": "m", "system": text}, "p")


def test_the_script_says_it_in_one_line(dataset: Dataset, run: Run) -> None:
    write_parameters(dataset, system="You are {name}")
    assert 'key "system": found "You are {name}"' in one_line_error(run("preprocess", "-d", "1"), 2)
    write_parameters(dataset, system=TEMPLATE)
    assert "system You are Rowan, chatting with" in run("preprocess", "-d", "1").stdout
