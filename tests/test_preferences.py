"""Ratings become pairs that a preference trainer reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from selfchatbot.environment import PREFERENCES_FILE, Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.preferences import add_preferences

PROMPT = [{"role": "user", "content": "hey 😀"}]


def answered(dialogue: Dialogue) -> str:
    return "\n".join(dialogue.answer())


@pytest.fixture
def dialogue(dataset: Dataset) -> Dialogue:
    """A lively speaker; ratings go to the results folder."""
    import torch

    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    lively = parameters.model_copy(update={"temperature": 3.0, "guidance": 0.0, "seed": 5, "max_new_tokens": 30})
    player = Player(dataset.results / "best", lively, Machine("cpu", torch.float32))
    path = dataset.results / PREFERENCES_FILE
    return Dialogue(lambda: player, lambda prompt, better, worse: add_preferences(path, prompt, better, worse))


def pairs(dataset: Dataset) -> list[dict[str, Any]]:
    path = dataset.results / PREFERENCES_FILE
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_edit_keeps_the_better_reply(dialogue: Dialogue, dataset: Dataset) -> None:
    dialogue.say("hey 😀")
    said = answered(dialogue)
    dialogue.edit("oh hi\nhow are you")
    assert pairs(dataset) == [
        {
            "prompt": PROMPT,
            "chosen": [{"role": "assistant", "content": "oh hi\nhow are you"}],
            "rejected": [{"role": "assistant", "content": said}],
        }
    ]
    assert dialogue.messages == [*PROMPT, {"role": "assistant", "content": "oh hi\nhow are you"}]


def test_good_prefers_it_to_the_others(dialogue: Dialogue, dataset: Dataset) -> None:
    dialogue.say("hey 😀")
    said = answered(dialogue)
    dialogue.good()
    found = pairs(dataset)
    assert found
    assert {pair["chosen"][0]["content"] for pair in found} == {said}
    assert [pair["rejected"][0]["content"] for pair in found] == dialogue.others
    assert all(pair["prompt"] == PROMPT for pair in found)


def test_bad_waits_for_a_better_one_that_stays(dialogue: Dialogue, dataset: Dataset) -> None:
    dialogue.say("hey 😀")
    first = answered(dialogue)
    second = "\n".join(dialogue.bad())
    third = "\n".join(dialogue.bad())
    assert len({first, second, third}) == 3
    assert pairs(dataset) == []
    dialogue.say("do you want to get food?")
    assert [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs(dataset)] == [
        (third, first),
        (third, second),
    ]
    dialogue.say("sure")
    assert len(pairs(dataset)) == 2


def test_bad_and_then_edit_or_undo(dialogue: Dialogue, dataset: Dataset) -> None:
    dialogue.say("hey 😀")
    first = answered(dialogue)
    second = "\n".join(dialogue.bad())
    dialogue.edit("hi")
    assert [pair["rejected"][0]["content"] for pair in pairs(dataset)] == [first, second]
    list(dialogue.bad())
    dialogue.undo()
    dialogue.say("hey")
    assert len(pairs(dataset)) == 2


def test_a_bad_reply_to_one_is_not_compared_with_what_another_gets(dialogue: Dialogue, dataset: Dataset) -> None:
    dialogue.say("hey 😀")
    answered(dialogue)
    list(dialogue.bad())
    dialogue.speak_as("with Ben")
    dialogue.say("hi")
    assert pairs(dataset) == []


def test_a_message_is_there_when_the_rating_can_not_be_kept(dialogue: Dialogue) -> None:
    def full(*_: object) -> None:
        raise OSError

    dialogue.say("hey 😀")
    answered(dialogue)
    list(dialogue.bad())
    dialogue._on_preference = full
    with pytest.raises(OSError):
        dialogue.say("still there?")
    assert dialogue.messages[-1] == {"role": "user", "content": "still there?"}


def test_any_conversation_can_be_loaded(dialogue: Dialogue) -> None:
    opening = [{"role": "assistant", "content": "hi"}]
    dialogue.load(opening)
    with pytest.raises(SelfChatBotError, match="nothing to reply to"):
        dialogue.take_back_reply()
    assert dialogue.messages == opening
    dialogue.load([*PROMPT, *opening, {"role": "assistant", "content": "there"}])
    dialogue.take_back_reply()
    assert answered(dialogue)
    dialogue.say("caf\udce9")
    assert answered(dialogue)


def test_nothing_to_rate_is_said(dialogue: Dialogue) -> None:
    for rate in (dialogue.good, dialogue.bad, dialogue.more, lambda: dialogue.edit("x"), lambda: dialogue.choose(1)):
        with pytest.raises(SelfChatBotError, match="no reply yet"):
            rate()


def test_it_is_the_layout_of_preference_trainers(tmp_path: Path) -> None:
    """`datasets` loads it with the three columns of TRL's "preference with explicit prompt", conversational."""
    datasets = pytest.importorskip("datasets")
    path = tmp_path / PREFERENCES_FILE
    assert add_preferences(path, PROMPT, "a", ["b", "b", "a", " "]) == 1
    path.write_bytes(path.read_bytes() + b'{"prompt": [{"ro')  # a killed run
    assert add_preferences(path, PROMPT, "c", ["d", "e"]) == 2
    lines = path.read_text(encoding="utf-8").split("\n")
    del lines[1]
    path.write_text("\n".join(lines), encoding="utf-8")
    table = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert set(table.column_names) == {"prompt", "chosen", "rejected"}
    assert [row["chosen"] for row in table] == [[{"role": "assistant", "content": text}] for text in ("a", "c", "c")]
