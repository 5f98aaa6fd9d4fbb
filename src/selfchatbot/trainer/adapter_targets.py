"""Which layers of a model get adapters."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import torch

from selfchatbot.model_families import READ_WEIGHTS, expert_stacks, linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapter_targets(model: "PreTrainedModel") -> list[str]:
    """Names of all linear layers except the output layer, routers, and layers that are computed in a way of their own.

    A name is the last part of a module's name if all modules that end so are targets, which is how peft reads it, or
    else the whole name.

    Experts are stacked in one parameter and keep their weights. peft can adapt such a stack, but each forward pass
    would make a copy of it. Where peft would take the names of other feed-forward layers for those of experts, these
    keep their weights too.
    """
    targets = {name for name, module in linear_layers(model).items() if _is_plain(model, name, module)}
    return _not_experts(model, _shortened(model, targets))


def _not_experts(model: "PreTrainedModel", names: list[str]) -> list[str]:
    """``names`` without those that peft would read as experts."""
    if not expert_stacks(model):
        return names
    from peft import LoraConfig

    try:
        from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
    except ImportError:  # other versions read no name in another way
        return names
    config = LoraConfig(target_modules=names)
    convert_peft_config_for_transformers(config, model, None)
    return sorted(config.target_modules)


def target_sizes(model: "PreTrainedModel") -> dict[str, tuple[int, int]]:
    """The input and output size of each layer that gets an adapter, by its whole name."""
    targets = adapter_targets(model)
    return {
        name: sizes(module)
        for name, module in linear_layers(model).items()
        if name in targets or any(name.endswith(f".{target}") for target in targets)
    }


def without_adapters(model: "PreTrainedModel") -> str:
    """Which weights keep their values, in words; empty if those are less than 1 %."""
    adapted = target_sizes(model)
    weights = {name: math.prod(sizes(module)) for name, module in linear_layers(model).items()}
    weights |= {name: weight.numel() for name, weight in expert_stacks(model).items()}
    left = {name: count for name, count in weights.items() if name not in adapted}
    share = sum(left.values()) / max(sum(weights.values()), 1)
    if share < 0.01:
        return ""
    kinds = sorted({".".join(name.split(".")[-2:]) for name in left})
    return f"{share:.0%} of the weights get no adapter and stay as they are: {', '.join(kinds)}"


def sizes(module: torch.nn.Module) -> tuple[int, int]:
    """The input and output size of a linear layer."""
    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    inputs, outputs = module.weight.shape  # type: ignore[misc]  # transformers' Conv1D
    return int(inputs), int(outputs)


def _is_plain(model: "PreTrainedModel", name: str, module: torch.nn.Module) -> bool:
    """Whether calling ``module`` is all that is done with it.

    Subclasses of `Linear`, such as the routers of Llama 4 and PhiMoE, return something else. Mamba's output projection
    may be computed inside a kernel, without its adapter; such a mixer has a parameter D (Dao and Gu 2024, "Mamba-2").
    """
    parent, _, leaf = name.rpartition(".")
    if leaf in READ_WEIGHTS.get(model.config.model_type, ()):
        return False
    mixer = model.get_submodule(parent)
    if leaf == "out_proj" and hasattr(mixer, "A_log") and hasattr(mixer, "D"):
        return False
    own_forward = isinstance(module, torch.nn.Linear) and type(module).forward is not torch.nn.Linear.forward
    return not own_forward or type(module).__module__.startswith("bitsandbytes")


def _shortened(model: "PreTrainedModel", targets: set[str]) -> list[str]:
    ending: dict[str, set[str]] = defaultdict(set)
    for name, _ in model.named_modules():
        ending[name.rpartition(".")[2]].add(name)
    names = set()
    for target in targets:
        leaf = target.rpartition(".")[2]
        names.add(leaf if ending[leaf] <= targets else target)
    return sorted(names)
