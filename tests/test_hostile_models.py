"""Models from strangers: sizes that no model has, templates and tokenizers that never end, files that are none."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from tiny_models import tiny_tokenizer
from tokenizers import Regex, pre_tokenizers

from selfchatbot.chat_format import ChatFormat, chat_format, template
from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import load_config, load_model, load_tokenizer
from selfchatbot.player.checkpoint import check_checkpoint


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def change(model: Path, file: str = "config.json", **values: object) -> None:
    path = model / file
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": -5},
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 10**18},
        {"num_attention_heads": 0},
        {"hidden_size": "32"},
        {"intermediate_size": [64, -1]},
        {"text_config": {"num_hidden_layers": 10**6}},
    ],
    ids=str,
)
def test_sizes_that_no_model_has_are_refused(model: Path, values: dict[str, object]) -> None:
    change(model, **values)
    for load in (load_config, load_tokenizer, lambda name: load_model(name, torch.float32)):
        with pytest.raises(SelfChatBotError, match=r"config.json: \w+ is no number from 1 to [\d,]+: choose another"):
            load(str(model))


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_an_attention_kernel_named_in_a_config_is_not_loaded(model: Path, key: str) -> None:
    change(model, **{key: "somebody/some-kernels"})
    loaded = load_model(str(model), torch.float32)
    assert loaded(torch.tensor([[1, 2]])).logits.isfinite().all()
    assert loaded.config._attn_implementation in ("sdpa", "eager")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "extra"])
def test_a_pipe_among_the_files_of_a_model(model: Path, name: str) -> None:
    (model / name).unlink(missing_ok=True)
    os.mkfifo(model / name)
    for load in (load_config, load_tokenizer):
        with pytest.raises(SelfChatBotError, match=f"{name} is not a file"):
            load(str(model))
    with pytest.raises(SelfChatBotError):
        check_checkpoint(model)


@pytest.mark.parametrize("value", [[], "many", {"": 0}], ids=str)
def test_a_longest_text_that_is_no_number(model: Path, value: object) -> None:
    change(model, "tokenizer_config.json", model_max_length=value)
    with pytest.raises(SelfChatBotError, match=r"model_max_length in tokenizer_config.json is no number: get it again"):
        load_tokenizer(str(model))


def test_a_special_token_without_text_is_none(model: Path) -> None:
    change(model, "tokenizer_config.json", extra_special_tokens=[""])
    chats = ChatFormat(load_tokenizer(str(model)))
    assert chats.special == ChatFormat(tiny_tokenizer()).special
    assert "<|im_start|>" in chats.markers


def test_a_template_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "TEMPLATE_SECONDS", 0.2)
    tokenizer = tiny_tokenizer("{% for i in range(9999) %}{% for j in range(2000) %}{% endfor %}{% endfor %}")
    with pytest.raises(SelfChatBotError, match=r"template of this model does not end within 0\.2 s"):
        ChatFormat(tokenizer)


def test_a_tokenizer_whose_regular_expression_explodes(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer()
    split = pre_tokenizers.Split(Regex(r"(?:x+x+)+y"), "isolated")
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    chats = ChatFormat(tokenizer)
    assert chats.prompt([{"role": "user", "content": "hey"}], 100)
    monkeypatch.setattr(chat_format, "TOKENIZER_SECONDS", 0.1)
    with pytest.raises(SelfChatBotError, match="tokenizer of this model has not read a text within 0 seconds"):
        chats.prompt([{"role": "user", "content": "x" * 300}], 100)
