"""Families that differ from a Llama: a few of benchmarks/families.py, what is refused, and the document."""

import json
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, write_training_data
from tiny_models import save_tiny_model

sys.path.append(str(ROOT / "benchmarks"))

from model_families.checks import check
from model_families.tiny import SHAPES, save_tiny

from selfchatbot.errors import SelfChatBotError
from selfchatbot.gguf.writer import GgufError
from selfchatbot.models import Machine, load_config, load_model
from selfchatbot.parameters import GenerationParameters, TrainingParameters
from selfchatbot.player.gguf_cache import checkpoint_gguf
from selfchatbot.trainer import memory_estimate
from selfchatbot.trainer.adapter_targets import target_sizes, without_adapters
from selfchatbot.trainer.memory_estimate import plan_memory
from selfchatbot.trainer.model_setup import trainable_model
from selfchatbot.trainer.plan import plan_training

CPU = Machine("cpu", torch.float32)
COLUMNS = ("estimate", "lora", "plays", "undo", "candidates", "batch", "export")


@pytest.mark.parametrize(
    "family",
    [
        "gemma3",  # sees, slides
        "lfm2",  # convolutions: a running state instead of keys and values
        "llama4",  # experts, a router that is a linear layer, chunks
    ],
)
def test_it_goes_the_whole_way(family: str) -> None:
    found = check(family, COLUMNS)
    assert {column: text for column, text in found.items() if not text.startswith("ok")} == {}
    assert set(found) == set(COLUMNS)


def test_only_the_language_model_of_a_model_that_sees_is_loaded(tmp_path: Path) -> None:
    save_tiny("mistral3", tmp_path / "sees")
    model = load_model(str(tmp_path / "sees"), torch.float32)
    assert type(model).__name__ == "Ministral3ForCausalLM"
    assert not [name for name, _ in model.named_parameters() if "vision" in name]
    model.save_pretrained(tmp_path / "reads")
    again = load_model(str(tmp_path / "reads"), torch.float32)
    ids = torch.arange(3, 40)[None]
    torch.testing.assert_close(again(ids).logits, model(ids).logits)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "attention_bias": True}), encoding="utf-8")
    with pytest.raises(SelfChatBotError, match="is incomplete: "):
        load_model(str(folder), torch.float32)


def test_what_cannot_work_is_refused_in_one_line_before_anything_is_computed(tmp_path: Path) -> None:
    save_tiny("t5", tmp_path / "model")
    data = write_training_data(tmp_path / "data", tmp_path / "model")
    parameters = TrainingParameters(model=str(tmp_path / "model"))
    with pytest.raises(SelfChatBotError, match=r'"t5" have an encoder') as refused:
        plan_training(parameters, data, CPU)
    assert "\n" not in str(refused.value)
    assert not list(data.glob(".*"))


def test_an_estimate_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    """A configuration that calls its layers another number than there are."""
    config = load_config(str(save_tiny_model(tmp_path / "model")))
    config.__dict__["hidden_size"] = "unknown"
    parameters = TrainingParameters(model=str(tmp_path / "model"))
    with pytest.raises(TypeError):
        memory_estimate.ModelShape(config)
    plan = plan_memory(parameters, config, CPU, ([90, 100], [30, 40]), 128)
    assert plan.needed is None and not plan.is_short
    assert plan.micro_tokens >= 128
    assert "can't be estimated" in str(plan)


def test_routers_and_experts_get_no_adapters_and_that_is_said(tmp_path: Path) -> None:
    save_tiny("qwen3_moe", tmp_path / "model")
    model = load_model(str(tmp_path / "model"), torch.float32)
    assert {name.rpartition(".")[2] for name in target_sizes(model)} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    said = without_adapters(model)
    assert "experts.gate_up_proj" in said and "% of the weights get no adapter" in said


def test_layers_whose_weights_are_read_are_not_in_4_bits(tmp_path: Path) -> None:
    """Gemma 3n limits the weights of two of its layers in each step of a training."""
    pytest.importorskip("bitsandbytes", reason="there is no wheel for every machine")
    save_tiny("gemma3n", tmp_path / "model")
    model = trainable_model(TrainingParameters(model=str(tmp_path / "model"), type_fine_tune="qlora"), CPU)
    ids = torch.arange(3, 40)[None]
    model.train()(input_ids=ids, labels=ids).loss.backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert trained and all(parameter.grad is not None for parameter in trained)
    kinds = {name.rpartition(".")[2]: type(module).__name__ for name, module in model.named_modules()}
    assert kinds["prediction_coefs"] == kinds["correction_coefs"] == "Linear"
    assert kinds["base_layer"] == "Linear4bit"


def test_a_model_that_cannot_be_written_as_gguf_is_not_even_loaded(tmp_path: Path) -> None:
    save_tiny("gpt_neox", tmp_path / "best")
    for weights in (tmp_path / "best").glob("*.safetensors"):
        weights.unlink()
    with pytest.raises(GgufError, match="gpt_neox"):
        checkpoint_gguf(tmp_path / "best", GenerationParameters(model=str(tmp_path / "best")))


def test_the_document_has_every_family() -> None:
    document = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    missing = [name for name, shape in SHAPES.items() if f"{shape['models']} " not in document]
    assert not missing, "run: python benchmarks/families.py --write"
