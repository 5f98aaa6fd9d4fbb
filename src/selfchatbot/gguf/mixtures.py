"""Mixtures of experts: how a token chooses, and what all tokens pass besides."""

from typing import Any

from selfchatbot.gguf.family import Family

SCALES = {
    "attention_multiplier": "add_attention_scale",
    "embedding_multiplier": "add_embedding_scale",
    "residual_multiplier": "add_residual_scale",
    "logits_scaling": "add_logit_scale",
}
EXPERTS = {
    "num_experts": "add_expert_count",
    "num_local_experts": "add_expert_count",
    "num_experts_per_tok": "add_expert_used_count",
    "moe_intermediate_size": "add_expert_feed_forward_length",
}
SHARED_EXPERT = {**EXPERTS, "shared_expert_intermediate_size": "add_expert_shared_feed_forward_length"}
DEEPSEEK_EXPERTS = {
    "n_routed_experts": "add_expert_count",
    "n_shared_experts": "add_expert_shared_count",
    "num_experts_per_tok": "add_expert_used_count",
    "moe_intermediate_size": "add_expert_feed_forward_length",
    "routed_scaling_factor": "add_expert_weights_scale",
    "norm_topk_prob": "add_expert_weights_norm",
}
ALL_SPARSE = {"norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": []}


def add_sigmoid(writer: Any, config: Any) -> None:
    """Add that each expert is weighted by itself, which layers have none, and which groups are chosen from first."""
    import gguf

    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if (dense := dense_layers(config)) is not None:
        writer.add_leading_dense_block_count(dense)
    if (groups := getattr(config, "n_group", None) or 1) > 1:
        writer.add_expert_group_count(groups)
        writer.add_expert_group_used_count(config.topk_group)


def dense_layers(config: Any) -> int | None:
    """How many of the first layers have no experts, where the configuration says it."""
    if kinds := getattr(config, "mlp_layer_types", None):
        return int(kinds.index("sparse"))
    return next((getattr(config, key) for key in DENSE_LAYERS if hasattr(config, key)), None)


DENSE_LAYERS = ("first_k_dense_replace", "num_dense_layers")


def _fits_ernie(config: Any) -> bool:
    """Whether the last layers have experts, not only some in the middle."""
    return bool(config.moe_layer_end_index in (-1, config.num_hidden_layers - 1) and not config.use_bias)


def _add_ernie(writer: Any, config: Any) -> None:
    writer.add_leading_dense_block_count(config.moe_layer_start_index)
    writer.add_interleave_moe_layer_step(config.moe_layer_interval)
    writer.add_expert_shared_count(config.moe_num_shared_experts)
    writer.add_expert_shared_feed_forward_length(config.moe_num_shared_experts * config.moe_intermediate_size)


MIXTURES = {
    "mixtral": Family("llama", rotary_pairs=True, settings=EXPERTS),
    "qwen2_moe": Family("qwen2moe", settings=SHARED_EXPERT, required={**ALL_SPARSE, "norm_topk_prob": False}),
    "qwen3_moe": Family("qwen3moe", settings=EXPERTS, required=ALL_SPARSE),
    "olmoe": Family(
        "olmoe",
        settings=EXPERTS,
        required={"norm_topk_prob": False, "clip_qkv": None, "attention_bias": False},
        requires=lambda config: config.num_key_value_heads == config.num_attention_heads,
    ),
    "granitemoe": Family("granitemoe", rotary_pairs=True, settings={**SCALES, **EXPERTS}),
    "glm4_moe": Family("glm4moe", settings=DEEPSEEK_EXPERTS, add_more=add_sigmoid),
    "lfm2_moe": Family(
        "lfm2moe",
        settings={**EXPERTS, "conv_L_cache": "add_shortconv_l_cache"},
        required={"conv_bias": False, "norm_topk_prob": True, "routed_scaling_factor": 1.0, "use_expert_bias": True},
        add_more=add_sigmoid,
    ),
    "minimax_m2": Family(
        "minimax-m2",
        settings={**EXPERTS, "intermediate_size": "add_expert_feed_forward_length"},
        add_more=add_sigmoid,
    ),
    "ernie4_5_moe": Family(
        "ernie4_5-moe",
        settings={
            "moe_num_experts": "add_expert_count",
            "moe_k": "add_expert_used_count",
            "moe_intermediate_size": "add_expert_feed_forward_length",
        },
        requires=_fits_ernie,
        add_more=_add_ernie,
    ),
}
