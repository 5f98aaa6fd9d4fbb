"""DeepSeek-V3 and its kin: keys and values are made from a vector that all heads share (DeepSeek-AI 2024, "MLA")."""

from collections.abc import Iterator
from typing import Any

from selfchatbot.gguf.family import Family
from selfchatbot.gguf.mixtures import DEEPSEEK_EXPERTS, add_sigmoid
from selfchatbot.gguf.rotary import add_rotary_settings
from selfchatbot.gguf.tensors import Tensor, stored_parts

ALIKE_LAYERS = (26, 27, 48)
"""Numbers of layers by which llama.cpp knows models whose queries are not made from such a vector."""


def fits_latent_attention(config: Any) -> bool:
    """Whether queries are made from a shared vector too, the rotation is of neighbours, and dense layers come first."""
    kinds = getattr(config, "mlp_layer_types", None) or []
    return bool(
        config.q_lora_rank
        and config.rope_interleave
        and not config.attention_bias
        and config.num_hidden_layers not in ALIKE_LAYERS
        and kinds == sorted(kinds)
    )


def add_latent_attention(writer: Any, config: Any) -> None:
    """Add the sizes of the shared vectors, as of one head that all queries read, and those of the heads."""
    shared, turning = config.kv_lora_rank, config.qk_rope_head_dim
    writer.add_head_count_kv(1)
    writer.add_q_lora_rank(config.q_lora_rank)
    writer.add_kv_lora_rank(shared)
    writer.add_key_length(shared + turning)
    writer.add_value_length(shared)
    writer.add_key_length_mla(config.qk_nope_head_dim + turning)
    writer.add_value_length_mla(config.v_head_dim)
    add_rotary_settings(writer, config, turning)


def latent_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """The tensors that llama.cpp has of a weight: what makes keys, turned around for each head, apart from values."""
    if not name.endswith(".kv_b_proj.weight"):
        yield from stored_parts(name, weight)
        return
    config = model.config
    heads = weight.reshape(config.num_attention_heads, -1, config.kv_lora_rank)
    keys, values = heads[:, : config.qk_nope_head_dim].transpose(1, 2), heads[:, config.qk_nope_head_dim :]
    yield from stored_parts(name.replace(".kv_b_proj.", ".k_b_proj."), keys)
    yield from stored_parts(name.replace(".kv_b_proj.", ".v_b_proj."), values)


LATENT_ATTENTION = dict.fromkeys(
    ("deepseek_v3", "glm4_moe_lite"),
    Family(
        "deepseek2",
        settings=DEEPSEEK_EXPERTS,
        requires=fits_latent_attention,
        add_attention=add_latent_attention,
        add_more=add_sigmoid,
        parts=latent_parts,
    ),
)
