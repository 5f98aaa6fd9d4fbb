"""Adapters are computed with fewer passes over memory: losses, gradients and files are those of peft."""

from pathlib import Path

import peft
import pytest
import torch
from peft import get_peft_model
from peft.tuners.lora import Linear

from selfchatbot.models import Machine, load_model
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.adapted_linear import AdaptedLinear, use_adapted_linear
from selfchatbot.trainer.adapter_targets import adapter_targets
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.model_setup import adapters, checkpoint_gradients, trainable_model

CPU = Machine("cpu", torch.float32)


def loss_and_gradients(model: torch.nn.Module) -> tuple[float, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 300, (3, 40), generator=generator)
    loss = LabelledLoss(model)(model.train(), {"input_ids": ids, "labels": ids})
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


def with_adapters_of_peft(options: TrainingParameters) -> torch.nn.Module:
    model = load_model(options.model, torch.float32)
    return get_peft_model(model, adapters(options, adapter_targets(model)))


def with_learned(model: torch.nn.Module) -> torch.nn.Module:
    """B begins with zeros, of which nothing can be seen."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    return model


@pytest.mark.parametrize(
    "changes",
    [{}, {"rslora": True, "lora_r": 4}, {"lora_dropout": 0.3}, {"dora": True}, {"gradient_checkpointing": True}],
    ids=["plain", "rslora", "dropout", "dora", "checkpointing"],
)
@pytest.mark.parametrize("fixture", ["tiny_model", "biased"])
def test_losses_and_gradients_are_those_of_peft(
    fixture: str, changes: dict[str, object], request: pytest.FixtureRequest
) -> None:
    options = TrainingParameters(model=str(request.getfixturevalue(fixture)), **changes)
    torch.manual_seed(0)
    ours = with_learned(trainable_model(options, CPU))
    torch.manual_seed(0)
    plain = with_learned(with_adapters_of_peft(options))
    if options.gradient_checkpointing:
        checkpoint_gradients(plain)
    assert {type(m) for m in ours.modules() if isinstance(m, Linear)} == {AdaptedLinear}
    torch.manual_seed(2)
    expected_loss, expected = loss_and_gradients(plain)
    torch.manual_seed(2)
    loss, gradients = loss_and_gradients(ours)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_rounds_no_more_than_peft(tiny_model: Path) -> None:
    options = TrainingParameters(model=str(tiny_model))
    ours, plain = (with_learned(trainable_model(options, Machine("cpu", torch.bfloat16))) for _ in range(2))
    for module in plain.modules():
        if isinstance(module, AdaptedLinear):
            module.__class__ = Linear
    exact = with_learned(trainable_model(options, CPU))
    ours.load_state_dict(exact.state_dict())
    plain.load_state_dict(exact.state_dict())
    _, expected = loss_and_gradients(exact)

    def error(model: torch.nn.Module) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            _, gradients = loss_and_gradients(model)
        assert all(gradient.dtype == torch.float32 for gradient in gradients.values())
        return sum(float((gradients[name] - expected[name]).square().sum()) for name in expected)

    assert error(ours) <= 1.1 * error(plain)


def test_another_layer_of_peft_is_left_alone_and_reported(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in a version of peft with another class, or without an attribute that is needed."""

    class Renamed(Linear):
        pass

    options = TrainingParameters(model=str(tiny_model))
    caplog.set_level("INFO", "selfchatbot")
    for change in ("class", "attribute"):
        model = with_adapters_of_peft(options)
        layer = next(module for module in model.modules() if type(module) is Linear)
        if change == "class":
            layer.__class__ = Renamed
        else:
            del layer.lora_variant
        caplog.clear()
        use_adapted_linear(model)
        assert not [module for module in model.modules() if isinstance(module, AdaptedLinear)]
        assert [f"peft {peft.__version__} computes adapters in its own way" in line for line in caplog.messages] == [
            True
        ]


def test_without_its_adapter_it_is_the_base_model(tiny_model: Path) -> None:
    options = TrainingParameters(model=str(tiny_model))
    model = with_learned(trainable_model(options, CPU)).eval()
    ids = torch.arange(3, 40)[None]
    base = load_model(str(tiny_model), torch.float32)(input_ids=ids).logits
    assert not torch.allclose(model(input_ids=ids).logits, base, atol=1e-3)
    with model.disable_adapter():
        torch.testing.assert_close(model(input_ids=ids).logits, base)
    learned = model(input_ids=ids).logits
    torch.testing.assert_close(model.merge_and_unload()(input_ids=ids).logits, learned, rtol=1e-4, atol=1e-4)


@pytest.fixture
def biased(tmp_path: Path) -> Path:
    """A Llama whose attention has biases."""
    from transformers import AutoModelForCausalLM, LlamaConfig, set_seed

    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=300, attention_bias=True, **sizes))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    return tmp_path
