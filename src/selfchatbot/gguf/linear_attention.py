"""Gated delta nets, the linear attention of Qwen3.5 (Yang et al. 2024, "Gated Delta Networks").

Several value heads share a key head. transformers keeps those of one key head together, llama.cpp repeats the key heads
one after the other, so that value heads are stored in that order.
"""

from typing import Any

import torch

EVERY = 4
"""One layer of so many has full attention."""


def add_delta_settings(writer: Any, config: Any) -> None:
    """Add the sizes of the delta nets."""
    writer.add_ssm_conv_kernel(config.linear_conv_kernel_dim)
    writer.add_ssm_state_size(config.linear_key_head_dim)
    writer.add_ssm_group_count(config.linear_num_key_heads)
    writer.add_ssm_time_step_rank(config.linear_num_value_heads)
    writer.add_ssm_inner_size(config.linear_value_head_dim * config.linear_num_value_heads)
    writer.add_full_attention_interval(EVERY)
    sections = config.rope_parameters.get("mrope_section", [11, 11, 10])  # those of pictures; of text all are alike
    writer.add_rope_dimension_sections([*sections, 0, 0, 0][:4])


def is_regular(config: Any) -> bool:
    """Whether the layers with full attention are where llama.cpp expects them."""
    kinds = ["linear_attention"] * (EVERY - 1) + ["full_attention"]
    return bool(config.layer_types == [kinds[n % EVERY] for n in range(config.num_hidden_layers)])


def delta_part(name: str, weight: Any, config: Any) -> tuple[str, Any]:
    """The weight ``name`` as llama.cpp has it, with a name that its table knows."""
    kind = name.partition(".linear_attn.")[2]
    size = config.linear_value_head_dim
    match kind:
        case "A_log":
            return name, -_tiled(weight, config, 1).float().exp()
        case "dt_bias":
            return name.replace("dt_bias", "dt_proj.bias"), _tiled(weight, config, 1)
        case "in_proj_a.weight" | "in_proj_b.weight":
            return name, _tiled(weight, config, 1)
        case "in_proj_z.weight":
            return name, _tiled(weight, config, size)
        case "out_proj.weight":
            return name, _tiled(weight.T, config, size).T
        case "in_proj_qkv.weight" | "conv1d.weight":
            rows = weight.reshape(weight.shape[0], -1)
            keys = 2 * config.linear_num_key_heads * config.linear_key_head_dim
            return name, torch.cat([rows[:keys], _tiled(rows[keys:], config, size)])
    return name, weight


def _tiled(weight: Any, config: Any, size: int) -> Any:
    """Value heads of ``size`` rows each, ordered by their place within a key head first."""
    keys = config.linear_num_key_heads
    shared = config.linear_num_value_heads // keys
    return weight.reshape(keys, shared, size, *weight.shape[1:]).transpose(0, 1).reshape(weight.shape)
