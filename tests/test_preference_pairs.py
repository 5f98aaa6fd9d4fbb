"""Pairs of a better and a worse reply, for preference rounds."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from conftest import write_training_data

from selfchatbot.chat_format import ChatFormat
from selfchatbot.environment import PREFERENCES_FILE
from selfchatbot.models import load_tokenizer
from selfchatbot.session.preferences import add_preferences
from selfchatbot.trainer.preference_pairs import Replies, rated_pairs, read_preferences

WORDS = "haha yeah sure maybe ok cool nice food rain umbrella later seven eight good thanks"


@pytest.fixture
def chat_format(tiny_model: Path) -> ChatFormat:
    return ChatFormat(load_tokenizer(str(tiny_model)))


def test_the_worse_reply_is_another_one_of_like_length(chat_format: ChatFormat, tmp_path: Path) -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS.split(), k=chance.randint(1, 30))) for _ in range(600)]
    lines = []
    for number in range(0, 600, 3):
        messages = [{"role": "system", "content": "be me"}]
        for text in texts[number : number + 3]:
            messages += [{"role": "user", "content": f"what now? {number}"}, {"role": "assistant", "content": text}]
        lines.append(json.dumps({"messages": messages}) + "\n")
    (tmp_path / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    replies = Replies(tmp_path / "train.jsonl", chat_format, 512)
    pairs = replies.pairs(1, 1000)
    assert len(pairs) == 600
    assert sorted(chat_format.reply(pair.chosen) for pair in pairs) == sorted(texts)
    lengths = sorted(len(pair.chosen) for pair in pairs)
    for pair in pairs:
        assert pair.chosen != pair.rejected
        assert chat_format.reply(pair.rejected) in texts
        # Replies of one length are in any order, so a place more or less on either side is within that length.
        low = lengths[max(lengths.index(len(pair.chosen)) - 120, 0)]
        high = lengths[min(lengths.index(len(pair.chosen)) + lengths.count(len(pair.chosen)) + 119, 599)]
        assert low <= len(pair.rejected) <= high
        assert len(pair.prompt) <= 256
    # A reply is the worse one about as often as the better one, so nothing is learned of replies as such.
    assert max(Counter(tuple(pair.rejected) for pair in pairs).values()) <= 15
    assert replies.pairs(1, 1000) == pairs
    assert replies.pairs(2, 1000) != pairs
    assert len(replies.pairs(1, 50)) == 50


def test_a_prompt_is_what_the_model_plays_with(chat_format: ChatFormat, tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "be me"}]
    for number in range(200):
        messages += [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"answer {number}"}]
    (tmp_path / "train.jsonl").write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    for pair in Replies(tmp_path / "train.jsonl", chat_format, 256).pairs(1, 20):
        number = int(chat_format.reply(pair.chosen).split()[1])
        text = chat_format.tokenizer.decode(pair.prompt)
        assert len(pair.prompt) <= 128
        assert "be me" in text
        assert text.endswith(f"q{number}<|im_end|>\n<|im_start|>assistant\n")


def test_there_is_no_pair_of_equal_replies(chat_format: ChatFormat, tiny_model: Path, tmp_path: Path) -> None:
    folder = write_training_data(tmp_path / "same", tiny_model)
    assert Replies(folder / "train.jsonl", chat_format, 128).pairs(1, 100) == []
    one = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (tmp_path / "one.jsonl").write_text(json.dumps(one) + "\n", encoding="utf-8")
    assert Replies(tmp_path / "one.jsonl", chat_format, 128).pairs(1, 100) == []


def test_ratings_are_pairs(chat_format: ChatFormat, tmp_path: Path) -> None:
    path = tmp_path / PREFERENCES_FILE
    assert rated_pairs(path, chat_format, 128) == []
    prompt = [{"role": "user", "content": "say food"}]
    add_preferences(path, prompt, "food", ["rain", "umbrella " * 200])
    add_preferences(path, [], "hey", ["hello"])  # I open the conversation
    add_preferences(path, prompt, "food", ["food "])
    assert len(read_preferences(path)) == 3
    found = rated_pairs(path, chat_format, 128)
    assert [tuple(map(chat_format.reply, pair[1:])) for pair in found] == [("food", "rain"), ("hey", "hello")]
    assert list(found[0].prompt) == chat_format.prompt(prompt, 64)
