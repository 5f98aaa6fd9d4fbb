"""Adapters are added to their model's weights as peft does it, without peft."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from selfchatbot.errors import SelfChatBotError
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.merging import merge

LLAMA, GPT2 = ["q_proj", "down_proj"], ["c_attn", "c_fc"]


def adapters(base: Path, folder: Path, **options: Any) -> Path:
    """A folder with random adapters for the model in ``base``."""
    torch.manual_seed(0)
    options = {"r": 4, "lora_alpha": 12, "target_modules": LLAMA, "task_type": "CAUSAL_LM", **options}
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**options))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).write_bytes((base / file).read_bytes())
    return folder


def config_of(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return config


@pytest.mark.parametrize(
    ("base", "options", "plain"),
    [
        ("tiny_model", {}, True),
        ("tiny_model", {"use_rslora": True}, True),
        ("tiny_base_model", {"target_modules": GPT2}, True),
        ("tiny_model", {"use_dora": True}, False),
        ("tiny_model", {"rank_pattern": {"q_proj": 2}}, False),
        ("tiny_model", {"modules_to_save": ["lm_head"]}, False),
        ("tiny_model", {"target_modules": ".*q_proj"}, False),
    ],
)
def test_the_weights_are_those_of_peft(
    base: str, options: dict[str, Any], plain: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source: Path = request.getfixturevalue(base)
    folder = adapters(source, tmp_path / "best", **options)
    before, ours = (AutoModelForCausalLM.from_pretrained(source) for _ in range(2))
    assert merge(ours, folder, config_of(folder)) is plain
    expected = before
    if plain:
        peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(source), folder).merge_and_unload()
        changed = {name for name, weight in before.state_dict().items() if not peft.state_dict()[name].equal(weight)}
        assert {name.split(".")[-2] for name in changed} == set(options.get("target_modules", LLAMA))
        expected = peft
    for name, weight in expected.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight)


def test_another_rank_than_declared_is_damage(tiny_model: Path, tmp_path: Path) -> None:
    folder = adapters(tiny_model, tmp_path / "best")
    config = {**config_of(folder), "r": 8}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r"is damaged .* rank 4, not 8"):
        load_checkpoint(folder, GenerationParameters(model=str(tiny_model)), Machine("cpu", torch.float32))


def test_peft_is_not_imported_to_play(tiny_model: Path, tmp_path: Path) -> None:
    folder = adapters(tiny_model, tmp_path / "best")
    program = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from selfchatbot.models import Machine\n"
        "from selfchatbot.parameters import GenerationParameters\n"
        "from selfchatbot.player import Player\n"
        f"parameters = GenerationParameters(model={str(tiny_model)!r}, max_new_tokens=3)\n"
        f"Player(Path({str(folder)!r}), parameters, Machine('cpu', torch.float32)).reply([])\n"
        "print(*sorted({'peft', 'bitsandbytes', 'datasets', 'sklearn', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
