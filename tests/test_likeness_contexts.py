"""The places of an evaluation: what there is to answer, and who answers in a group."""

import json
from pathlib import Path

import pytest

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.run.contexts import last_speaker, read_contexts


def test_an_empty_turn_is_nothing_to_answer(tmp_path: Path) -> None:
    turns = [("user", " "), ("assistant", "hm"), ("user", "hey"), ("assistant", "yo")]
    line = json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})
    (tmp_path / "test.jsonl").write_text(line + "\n", encoding="utf-8")
    assert [context.reply for context in read_contexts(tmp_path, 5, 1)] == ["yo"]


def test_nothing_to_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(SelfChatBotError, match="run selfChatBot_preprocess"):
        read_contexts(tmp_path, 1, 1)
    (tmp_path / "test.jsonl").write_text('{"messages": [{"role": "assistant", "content": "hi"}]}\n', encoding="utf-8")
    with pytest.raises(SelfChatBotError, match="raise test_fraction"):
        read_contexts(tmp_path, 1, 1)


def test_of_a_group_the_last_speaker_answers() -> None:
    names = {"Ana", "Bo B"}
    assert last_speaker("Ana: hi\nBo B: so\nwhat: ever\nBo B: yes", names) == "so\nwhat: ever\nyes"
    assert last_speaker("note: no group\nAnna: hi", names) == "note: no group\nAnna: hi"
