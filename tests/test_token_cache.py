"""Windows are made once and kept; what is kept is never trusted blindly."""

import hashlib
import json
import shutil
import stat
import sys
from pathlib import Path

import pytest
from conftest import SAMPLE, Run, write_training_data
from tiny_models import CHATML, tiny_tokenizer

from selfchatbot.chat_format import ChatFormat
from selfchatbot.conversations.stage import preprocess
from selfchatbot.environment import Dataset, Environment
from selfchatbot.trainer import token_cache
from selfchatbot.trainer.data import TokenBatches, counts
from selfchatbot.trainer.dry_run import fullness
from selfchatbot.trainer.token_cache import tokenized


@pytest.fixture
def conversations(tmp_path: Path) -> Path:
    return write_training_data(tmp_path, "none") / "train.jsonl"


@pytest.fixture(scope="module")
def chat_format() -> ChatFormat:
    return ChatFormat(tiny_tokenizer())


def test_a_second_time_nothing_is_tokenized(
    conversations: Path, chat_format: ChatFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tokenized(conversations, chat_format, 128)
    kept = conversations.with_name(".train.windows")
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    def never(*_: object) -> None:
        raise AssertionError("tokenized again")

    monkeypatch.setattr(ChatFormat, "windows", never)
    second = tokenized(conversations, chat_format, 128)
    assert second[:] == first[:]
    assert second.features == first.features


def test_whatever_changes_is_tokenized_again(conversations: Path, chat_format: ChatFormat) -> None:
    tokenized(conversations, chat_format, 128)
    shorter = tokenized(conversations, chat_format, 64)
    assert shorter[:] == tokenized(conversations, chat_format, 64, keep=False)[:]
    assert max(counts(shorter)[0]) <= 64
    text = conversations.read_text(encoding="utf-8")
    conversations.write_text(text.replace("raining", "snowing"), encoding="utf-8")
    other = tokenized(conversations, chat_format, 128)
    assert "snowing" in chat_format.tokenizer.decode(other[0]["input_ids"])
    template = ChatFormat(tiny_tokenizer(CHATML.replace("You are helpful", "Be yourself")))
    assert "Be yourself" in template.tokenizer.decode(tokenized(conversations, template, 128)[0]["input_ids"])


@pytest.mark.parametrize("damage", ["shorter", "one bit", "empty", "a folder"])
def test_what_is_damaged_is_made_again(damage: str, conversations: Path, chat_format: ChatFormat) -> None:
    expected = tokenized(conversations, chat_format, 128)
    kept = conversations.with_name(".train.windows")
    content = bytearray(kept.read_bytes())
    if damage == "a folder":
        kept.unlink()
        kept.mkdir()
    elif damage == "one bit":
        content[len(content) // 2] ^= 1
        kept.write_bytes(content)
    else:
        kept.write_bytes(content[:1000] if damage == "shorter" else b"")
    assert tokenized(conversations, chat_format, 128)[:] == expected[:]
    assert not list(kept.parent.glob(".*partial*"))
    if damage != "a folder":
        assert kept.stat().st_size > 1000


def test_other_windows_have_another_version(conversations: Path, chat_format: ChatFormat) -> None:
    """When this fails because windows are cut in a new way: add 1 to VERSION, and put both numbers here."""
    made = json.dumps(tokenized(conversations, chat_format, 100, keep=False)[:])
    assert (token_cache.VERSION, hashlib.sha256(made.encode()).hexdigest()[:12]) == (1, "4d4dd3f22dbd")


def test_preprocess_forgets_them(run: Run, environment: Path) -> None:
    """They may hold the words of somebody who is left out from now on."""
    shutil.copytree(SAMPLE, environment / "raw" / SAMPLE.name)
    kept = environment / "preprocessed" / SAMPLE.name / ".train.windows"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert run("preprocess", "-d", "1").returncode == 0
    assert not kept.exists()


@pytest.mark.parametrize(("max_length", "batch_size"), [(512, 1), (512, 4), (1024, 1)])
def test_batches_of_the_sample_are_full(
    max_length: int, batch_size: int, sample_conversations: Path, chat_format: ChatFormat
) -> None:
    lengths, _ = counts(tokenized(sample_conversations, chat_format, max_length))
    batches = list(TokenBatches(lengths, max_length * batch_size, seed=0))
    assert fullness(lengths, batches) > 0.95


@pytest.fixture(scope="module")
def sample_conversations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(SAMPLE, folder / "raw" / SAMPLE.name)
    stages = {stage: folder / stage for stage in ("raw", "preprocessed", "results")}
    dataset = Dataset("1", SAMPLE.name, Environment(**stages))
    preprocess(dataset)
    return dataset.preprocessed / "train.jsonl"
