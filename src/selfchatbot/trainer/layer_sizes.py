"""What one token leaves behind in each layer of a model, read off the sizes of its linear layers."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.model_families import expert_stacks, linear_layers
from selfchatbot.trainer.adapter_targets import sizes, target_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ACTIVE_EXPERTS = ("num_experts_per_tok", "moe_k", "top_k_experts", "num_experts_per_token")
"""Names of the number of experts that a token passes in configurations."""


@dataclass(frozen=True, slots=True)
class LayerSizes:
    """Numbers per token. A layer of Llama has hidden size h, q and k = heads and key-value heads times head size, and
    intermediate size f.
    """

    inputs: int
    """Of all its linear layers: 5h + q + f."""
    distinct: int
    """The same, but what several of them read is counted once: 2h + q + f."""
    outputs: int
    """2h + q + 2k + 2f."""
    products: int
    """What the last linear layer of each feed-forward part reads, a product of two outputs: f."""
    adapted: int
    """The number of adapters: 7."""


def layer_sizes(model: "PreTrainedModel") -> list[LayerSizes]:
    """The sizes of each layer of a model on any device. Raises ValueError if its layers are not found.

    The linear layers of one module are taken to read the same input if it has the same size, except the last one. Of
    experts, a token passes a few, each with an input and an output of its own.
    """
    config: Any = model.config
    names = [name for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    layers = next((name for name in names if len(model.get_submodule(name)) == config.num_hidden_layers), None)
    if layers is None:
        raise ValueError("the layers of this model are not found")
    adapted, linear, experts = target_sizes(model), linear_layers(model), expert_stacks(model)
    active = next((count for name in ACTIVE_EXPERTS if (count := getattr(config, name, None))), 1)
    found = []
    for number in range(config.num_hidden_layers):
        start = f"{layers}.{number}."
        groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for name, module in linear.items():
            if name.startswith(start):
                groups[name.rpartition(".")[0]].append(sizes(module))
        stacks = [sorted(weight.shape[1:]) for name, weight in experts.items() if name.startswith(start)]
        passed = active * sum(map(sum, stacks))
        found.append(
            LayerSizes(
                inputs=sum(inputs for group in groups.values() for inputs, _ in group),
                distinct=sum(_distinct(group) for group in groups.values()),
                outputs=sum(outputs for group in groups.values() for _, outputs in group) + passed,
                products=sum(group[-1][0] for name, group in groups.items() if "attn" not in name and len(group) > 1),
                adapted=sum(name.startswith(start) for name in adapted),
            )
        )
    return found


def _distinct(group: list[tuple[int, int]]) -> int:
    *first, last = [inputs for inputs, _ in group]
    return sum(set(first)) + last
