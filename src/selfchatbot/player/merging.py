"""Adds LoRA adapters to the weights of their model. peft does the same, but takes seconds to import."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KNOWN = frozenset(
    {
        *("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type", "peft_version", "revision"),
        *("bias", "init_lora_weights", "lora_alpha", "lora_dropout", "r", "target_modules", "task_type", "use_rslora"),
        *("fan_in_fan_out", "megatron_core", "qalora_group_size"),
    }
)
"""What adapter_config.json may set here: what the computation below follows, and what matters in training only."""


def merge(model: "PreTrainedModel", folder: Path, config: dict[str, Any]) -> bool:
    """Add the adapters in ``folder``, which its adapter_config.json describes, to the weights of ``model``.

    W + s B A (Hu et al. 2021, "LoRA"), where s is alpha / r, or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023),
    computed in float32 and rounded once. Returns False, with nothing changed, for adapters of another kind and for a
    file that holds other tensors than expected. Raises what torch and safetensors raise for a damaged file.
    """
    import torch
    from safetensors import safe_open
    from transformers.pytorch_utils import Conv1D

    targets = config.get("target_modules")
    if (
        config.get("peft_type") != "LORA"
        or config.get("bias") != "none"
        or config.get("init_lora_weights") is not True
        or not isinstance(targets, list)
        or not {key for key, value in config.items() if value} <= KNOWN
    ):
        return False
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    layers = {
        name: module
        for name, module in model.named_modules()
        if any(f".{name}".endswith(f".{target}") for target in targets)
    }
    if not all(type(layer) in (torch.nn.Linear, Conv1D) for layer in layers.values()):
        return False
    with safe_open(folder / "adapter_model.safetensors", "pt") as file, torch.no_grad():
        if set(file.keys()) != {_key(name, side) for name in layers for side in "AB"}:
            return False
        for name, layer in layers.items():
            first, second = (file.get_tensor(_key(name, side)).float() for side in "AB")
            if first.shape[0] != rank:
                raise ValueError(f"{name} has an adapter of rank {first.shape[0]}, not {rank}")
            weight: Any = layer.weight
            if isinstance(layer, Conv1D):  # which keeps its weights transposed
                first, second = second.T, first.T
            weight.copy_(weight.float().addmm_(second, first, alpha=scale))
    return True


def _key(layer: str, side: str) -> str:
    return f"base_model.model.{layer}.lora_{side}.weight"
