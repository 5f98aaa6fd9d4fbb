"""GGUF of mixtures of experts, of layers with a state, and of the plainer families: llama.cpp computes the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_gguf import END, SIZES, TEXT, TOKENIZER, YARN, log_probabilities, random_model
from tiny_models import CHATML, tiny_tokenizer
from tokenizers import Regex, pre_tokenizers
from transformers import AutoConfig, LlamaConfig, PreTrainedConfig

from selfchatbot.gguf.vocabulary import SPLITTERS, splitter
from selfchatbot.gguf.writer import GgufError, check_gguf, write_gguf

PAD = {**SIZES, "pad_token_id": 0}
EVEN = {**PAD, "num_key_value_heads": 4}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
LOCAL = {"num_local_experts": 4, "num_experts_per_tok": 2}
ROUTED = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_group": 4,
    "topk_group": 2,
    "moe_intermediate_size": 32,
    "routed_scaling_factor": 1.5,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 32,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 24,
}
EARLY = {**YARN, "original_max_position_embeddings": 8, "mscale": 1.0, "mscale_all_dim": 1.0}
STATE = {
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_d_state": 16,
    "mamba_n_groups": 2,
    "mamba_chunk_size": 8,
}
MIXED = {**STATE, "layer_types": ["mamba", "attention"]}
MULTIPLIERS = {
    "attention_multiplier": 0.1,
    "embedding_multiplier": 3.0,
    "residual_multiplier": 0.5,
    "logits_scaling": 4.0,
}
FALCON = {**STATE, "mamba_d_ssm": 128, "head_dim": 16, "mamba_norm_before_gate": False}
FACTORS = {
    "lm_head_multiplier": 0.7,
    "embedding_multiplier": 2.0,
    "mlp_multipliers": [0.5, 1.5],
    "key_multiplier": 0.6,
    "attention_out_multiplier": 0.8,
    "attention_in_multiplier": 1.2,
    "ssm_multipliers": [0.5, 0.6, 0.7, 0.8, 0.9],
    "ssm_in_multiplier": 1.1,
    "ssm_out_multiplier": 0.9,
}
MAMBA2 = {
    "vocab_size": SIZES["vocab_size"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_heads": 8,
    "head_dim": 16,
    "state_size": 16,
    "chunk_size": 8,
    "pad_token_id": 0,
}
NEMOTRON = {
    **{key: value for key, value in PAD.items() if key != "num_hidden_layers"},
    "head_dim": 16,
    "mamba_num_heads": 8,
    "mamba_head_dim": 16,
    "ssm_state_size": 16,
    "n_groups": 2,
    "chunk_size": 8,
    "initializer_range": 0.05,  # squares grow
    "moe_shared_expert_intermediate_size": 48,
}
DEEP = {**PAD, "num_hidden_layers": 64, "hidden_size": 32, "intermediate_size": 32, "head_dim": 8, "sliding_window": 8}


def of(kind: str, *parts: dict[str, Any], **more: Any) -> PreTrainedConfig:
    values = {key: value for part in parts for key, value in part.items()}
    config: PreTrainedConfig = AutoConfig.for_model(kind, **{**values, **more})
    return config


CONFIGS = {
    "mixtral": of("mixtral", PAD, LOCAL),
    "olmoe": of("olmoe", EVEN, EXPERTS),
    "glm4_moe": of("glm4_moe", PAD, ROUTED, head_dim=16, first_k_dense_replace=1, use_qk_norm=True),
    "lfm2_moe": of(
        "lfm2_moe", PAD, EXPERTS, moe_intermediate_size=32, layer_types=["conv", "full_attention"], num_dense_layers=1
    ),
    "minimax_m2": of("minimax_m2", PAD, LOCAL, head_dim=16, rotary_dim=8),
    "ernie4_5_moe": of(
        "ernie4_5_moe", PAD, moe_num_experts=4, moe_k=2, moe_intermediate_size=32, moe_num_shared_experts=2
    ),
    "deepseek_v3": of(
        "deepseek_v3", EVEN, LATENT, ROUTED, first_k_dense_replace=1, rope_parameters={**EARLY, "factor": 4.0}
    ),
    "glm4_moe_lite": of("glm4_moe_lite", EVEN, LATENT, ROUTED, n_group=1, topk_group=1),
    "ministral3": of("ministral3", PAD, head_dim=16, rope_parameters={**EARLY, "llama_4_scaling_beta": 0.3}),
    "cohere": of("cohere", PAD),
    "olmo": of("olmo", PAD, clip_qkv=0.5),
    "phi": of("phi", EVEN),
    "stablelm": of("stablelm", PAD),
    "stablelm, at once": of("stablelm", PAD, use_parallel_residual=True, use_qkv_bias=True),
    "hunyuan": of(
        "hunyuan_v1_dense",
        PAD,
        head_dim=16,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10_000.0, "alpha": 50.0, "factor": 1.0},
    ),
    "exaone4, large": of("exaone4", DEEP, sliding_window_pattern=4),
    "mamba2": of("mamba2", MAMBA2, n_groups=2),
    "bamba": of("bamba", PAD, STATE, attn_layer_indices=[1]),
    "granite hybrid": of("granitemoehybrid", PAD, MIXED, LOCAL, MULTIPLIERS, shared_intermediate_size=48),
    "granite hybrid, dense": of(
        "granitemoehybrid",
        PAD,
        MIXED,
        num_local_experts=0,
        num_experts_per_tok=0,
        shared_intermediate_size=48,
        position_embedding_type="rope",
    ),
    "nemotron_h": of("nemotron_h", NEMOTRON, ROUTED, layers_block_type=["mamba", "attention", "moe", "mamba"]),
    "nemotron_h, dense": of("nemotron_h", NEMOTRON, layers_block_type=["mamba", "mlp", "attention", "mlp"]),
    "falcon_h1": of("falcon_h1", PAD, FALCON, FACTORS, mamba_rms_norm=True),
    "falcon_h1, tied": of("falcon_h1", PAD, FALCON, FACTORS, tie_word_embeddings=True),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize(("quantization", "allowed"), [("f32", 3e-3), ("q8_0", 1.0)])
def test_llamacpp_computes_the_same(kind: str, quantization: str, allowed: float, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    model = random_model(CONFIGS[kind])
    for name, buffer in model.named_buffers():
        if name.endswith("_bias"):  # of the choice of experts
            buffer.add_(0.1 * torch.randn_like(buffer))
    check_gguf(model.config, TOKENIZER, 8)
    write_gguf(tmp_path / "model.gguf", model, TOKENIZER, END, quantization)
    expected = log_probabilities(model)
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1, exact=True)
    ids = TOKENIZER(TEXT)["input_ids"]
    engine.log_probability([*ids, END, *ids], END, END)  # what was read before makes no difference
    for token in [END, *expected.topk(20).indices.tolist(), *range(300, 320)]:
        assert engine.log_probability(ids, token, END) == pytest.approx(expected[token].item(), abs=allowed), token


REFUSED: dict[str, tuple[PreTrainedConfig, str]] = {
    "keys of fewer heads": (of("olmoe", PAD, EXPERTS), "olmoe"),
    "probabilities that are scaled": (of("lfm2_moe", PAD, EXPERTS, routed_scaling_factor=2.0), "routed_scaling_factor"),
    "experts in the middle": (of("ernie4_5_moe", PAD, num_hidden_layers=4, moe_layer_end_index=2), "ernie4_5-moe"),
    "queries of their own": (of("deepseek_v3", EVEN, LATENT, ROUTED, q_lora_rank=None), "deepseek2"),
    "queries that llama.cpp takes for such": (of("deepseek_v3", EVEN, LATENT, ROUTED, num_hidden_layers=27), "deepse"),
    "norms of queries": (of("cohere", PAD, use_qk_norm=True), "use_qk_norm"),
    "norms of heads": (of("stablelm", PAD, qk_layernorm=True), "qk_layernorm"),
    "sliding layers in a small EXAONE": (of("exaone4", PAD, sliding_window=8, sliding_window_pattern=4), "exaone4"),
    "mixtures in some layers": (
        of("nemotron_h", NEMOTRON, layers_block_type=["mamba", "mlp", "attention", "moe"]),
        "nemotron_h_moe",
    ),
    "limited time steps": (of("mamba2", MAMBA2, time_step_limit=(0.0, 0.5)), "mamba2"),
    "a norm before the gate": (of("falcon_h1", PAD, FALCON, mamba_rms_norm=True, mamba_norm_before_gate=True), "falc"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_llamacpp_takes_for_granted_is_refused(what: str) -> None:
    config, reason = REFUSED[what]
    with pytest.raises(GgufError, match=f"this setting of {reason}"):
        check_gguf(config, TOKENIZER)


@pytest.mark.parametrize("name", ["tekken", "gpt-4o"])
def test_text_is_split_as_the_tokenizer_does(name: str, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    pattern = next(pattern for pattern, called in SPLITTERS.items() if called == name)
    tokenizer = tiny_tokenizer(CHATML)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    write_gguf(tmp_path / "model.gguf", random_model(LlamaConfig(**SIZES)), tokenizer, END)
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1)
    for text in ("haha yeah\n\nit's RAINING again, don't forget", "YouTube I'LL 12345 ok/\n  à bientôt", "  😀 看见"):
        assert engine.tokens(text) == tokenizer(text)["input_ids"], text


def test_the_split_of_mistral_has_a_name() -> None:
    """As transformers has it in its own code."""
    pattern = (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    steps = [{"type": "Split", "pattern": {"Regex": pattern}}, {"type": "ByteLevel"}]
    assert splitter({"type": "Sequence", "pretokenizers": steps}) == "tekken"
