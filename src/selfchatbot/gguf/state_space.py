"""Mamba 2 (Dao and Gu 2024) and the families that mix its layers with attention."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from selfchatbot.gguf.family import Family
from selfchatbot.gguf.mixtures import DEEPSEEK_EXPERTS, SCALES, add_sigmoid
from selfchatbot.gguf.rotary import add_rotary_settings, head_size
from selfchatbot.gguf.tensors import Tensor, stored_parts

MIXER = (".mamba.", ".mixer.")
"""What a layer with a state is called."""
STATE_ONLY = ("linear_attention", "moe", "mlp")
"""Kinds of layers without attention."""


def sizes(config: Any) -> tuple[int, int, int, int, int]:
    """Heads, dimensions of a head, size of the state, groups, length of the filter: names differ by family."""
    if config.model_type == "mamba2":
        return config.num_heads, config.head_dim, config.state_size, config.n_groups, config.conv_kernel
    if config.model_type == "nemotron_h":
        heads, size = config.mamba_num_heads, config.mamba_head_dim
        return heads, size, config.ssm_state_size, config.n_groups, config.conv_kernel
    heads, size = config.mamba_n_heads, config.mamba_d_head
    return heads, size, config.mamba_d_state, config.mamba_n_groups, config.mamba_d_conv


def fits_state_space(config: Any) -> bool:
    """Whether time steps are not limited and projections have no biases."""
    biases = ("use_bias", "mamba_proj_bias", "attention_bias", "mlp_bias", "projectors_bias")
    return tuple(config.time_step_limit) == (0.0, math.inf) and not any(getattr(config, key, False) for key in biases)


def add_state_space(writer: Any, config: Any) -> None:
    """Add the sizes of the layers with a state."""
    heads, size, state, groups, kernel = sizes(config)
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(heads * size)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(heads)
    writer.add_ssm_group_count(groups)


def add_hybrid_attention(writer: Any, config: Any) -> None:
    """Add the heads of each layer, none where it has a state, and their positions, if they have any."""
    heads = [0 if kind in STATE_ONLY else config.num_key_value_heads for kind in config.layer_types]
    writer.add_head_count_kv(heads if 0 in heads else config.num_key_value_heads)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_rope_scaling_finetuned(getattr(config, "position_embedding_type", "rope") == "rope")
    if getattr(config, "rope_parameters", None):
        add_rotary_settings(writer, config, head_size(config))


def state_space_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """The tensors that llama.cpp has of a weight: rates of forgetting as they are, filters and norms by group."""
    if not any(mixer in name for mixer in MIXER):
        yield from stored_parts(name, weight)
    elif name.endswith(".A_log"):
        yield from stored_parts(name, -weight.detach().float().exp().unsqueeze(1))
    elif name.endswith(".D"):
        yield from stored_parts(name, weight.unsqueeze(1))
    elif name.endswith(".conv1d.weight"):
        yield from stored_parts(name, weight.squeeze(1))
    elif name.endswith((".mamba.norm.weight", ".mixer.norm.weight")):
        yield from stored_parts(name, weight.reshape(sizes(model.config)[3], -1))
    else:
        yield from stored_parts(name.replace(".dt_bias", ".dt_proj.bias"), weight)


def granite_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """Besides, the expert that all tokens pass, or the only one, has gate and up projection in one."""
    layer, found, part = name.partition(".shared_mlp.")
    if not found:
        yield from state_space_parts(model, name, weight)
        return
    target = f"{layer}.mlp.shared_expert" if model.config.num_local_experts else f"{layer}.mlp"
    if part == "output_linear.weight":
        yield from stored_parts(f"{target}.down_proj.weight", weight)
    else:
        gate, up = weight.chunk(2)
        yield from stored_parts(f"{target}.gate_proj.weight", gate)
        yield from stored_parts(f"{target}.up_proj.weight", up)


def falcon_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """Besides, everything that Falcon-H1 multiplies with is in the weights."""
    config = model.config
    for part in state_space_parts(model, name, weight):
        yield _multiplied(part, falcon_factor(config, name))
        if name == "model.embed_tokens.weight" and config.tie_word_embeddings:
            yield _multiplied(replace(part, name="lm_head.weight"), config.lm_head_multiplier)


def _multiplied(tensor: Tensor, factor: Any) -> Tensor:
    return replace(tensor, values=lambda: tensor.values() * factor)


def falcon_factor(config: Any, name: str) -> Any:
    """What the outputs of a weight are multiplied with: a number, or a column with one for each row."""
    import numpy

    if name.endswith(".in_proj.weight"):
        heads, size, state, groups, _ = sizes(config)
        lengths = (heads * size, heads * size, groups * state, groups * state, heads)  # gate, input, B, C, time step
        rows = numpy.repeat(numpy.array(config.ssm_multipliers, numpy.float32), lengths)
        return rows[:, None] * config.ssm_in_multiplier
    before = config.attention_in_multiplier
    factors = {
        "model.embed_tokens.weight": config.embedding_multiplier,
        "lm_head.weight": config.lm_head_multiplier,
        ".gate_proj.weight": config.mlp_multipliers[0],
        ".down_proj.weight": config.mlp_multipliers[1],
        ".q_proj.weight": before,
        ".k_proj.weight": before * config.key_multiplier,
        ".v_proj.weight": before,
        ".o_proj.weight": config.attention_out_multiplier,
        ".out_proj.weight": config.ssm_out_multiplier,
    }
    return next((factor for ending, factor in factors.items() if name.endswith(ending)), 1.0)


def fits_nemotron(config: Any) -> bool:
    """Whether layers without attention or state are all mixtures, or none is."""
    return bool(
        fits_state_space(config) and not {"moe", "mlp"} <= set(config.layer_types) and config.moe_latent_size is None
    )


def add_nemotron(writer: Any, config: Any) -> None:
    """Add the sizes of the layers with a state and, if there are any, of experts."""
    add_state_space(writer, config)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    if "moe" in config.layer_types:
        for key, method in DEEPSEEK_EXPERTS.items():
            getattr(writer, method)(getattr(config, key))
        writer.add_expert_shared_feed_forward_length(config.moe_shared_expert_intermediate_size)
        add_sigmoid(writer, config)


def nemotron_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """Besides, the names are those of the first version, but for the experts."""
    if ".mixer.experts." in name:
        yield from stored_parts(name.replace(".mixer.", ".mlp."), weight)
    else:
        yield from state_space_parts(model, name.replace("model.", "backbone.", 1), weight)


GRANITE_SETTINGS = {
    **SCALES,
    "num_local_experts": "add_expert_count",
    "num_experts_per_tok": "add_expert_used_count",
    "shared_intermediate_size": "add_expert_shared_feed_forward_length",
}
HYBRID: dict[str, Any] = {
    "requires": fits_state_space,
    "add_attention": add_hybrid_attention,
    "add_more": add_state_space,
    "parts": state_space_parts,
}
STATE_SPACES = {
    "mamba2": Family("mamba2", **{**HYBRID, "add_attention": lambda writer, config: None}),
    "bamba": Family("granitehybrid", rotary_pairs=True, **HYBRID),
    "granitemoehybrid": Family(
        "granitehybrid", rotary_pairs=True, settings=GRANITE_SETTINGS, **{**HYBRID, "parts": granite_parts}
    ),
    "falcon_h1": Family(
        "falcon-h1",
        **{
            **HYBRID,
            "requires": lambda config: (
                fits_state_space(config) and not (config.mamba_rms_norm and config.mamba_norm_before_gate)
            ),
            "parts": falcon_parts,
        },
    ),
    "nemotron_h": Family(
        "nemotron_h_moe",
        required={"mlp_hidden_act": "relu2", "mamba_hidden_act": "silu"},
        **{**HYBRID, "requires": fits_nemotron, "add_more": add_nemotron, "parts": nemotron_parts},
    ),
}
