"""The model families that can be written.

What llama.cpp computes for an architecture is in its source (src/models); what it doesn't read from the file, such as
which layers slide, is required of the configuration here.
"""

from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.errors import GgufError
from selfchatbot.gguf.family import GELU, Family
from selfchatbot.gguf.gemma import add_gemma3n, add_gemma4_attention, fits_gemma3n, fits_gemma4, gemma_parts
from selfchatbot.gguf.latent_attention import LATENT_ATTENTION
from selfchatbot.gguf.linear_attention import add_linear_attention, fits_linear_attention, linear_attention_parts
from selfchatbot.gguf.mixtures import ALL_SPARSE, EXPERTS, MIXTURES, SCALES, SHARED_EXPERT
from selfchatbot.gguf.state_space import STATE_SPACES

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def _scales_by_head(config: Any) -> bool:
    """Whether attention is scaled by its head size, as in all of Gemma but 27B."""
    return bool(config.query_pre_attn_scalar == config.head_dim and config.num_hidden_layers not in (46, 62))


def _slides_if_large(config: Any) -> bool:
    """Whether layers slide as in EXAONE 4 32B, which llama.cpp knows by its 64 layers, or as in 1.2B not at all."""
    sliding = ["full_attention" if (number + 1) % 4 == 0 else "sliding_attention" for number in range(64)]
    if config.num_hidden_layers == 64:
        return bool(config.sliding_window) and config.layer_types == sliding
    return config.sliding_window is None


def _one_base(config: Any) -> bool:
    """Whether sliding layers rotate with the base of the others."""
    return len({kind["rope_theta"] for kind in config.rope_parameters.values()}) == 1


def _add_temperature(writer: Any, config: Any) -> None:
    """Add how much sharper attention becomes after each stretch of the original positions."""
    writer.add_attn_temperature_scale(config.rope_parameters["llama_4_scaling_beta"])


LINEAR_ATTENTION: dict[str, Any] = {
    "norms_of_one": True,
    "requires": fits_linear_attention,
    "add_more": add_linear_attention,
    "parts": linear_attention_parts,
}
SOFTCAPS = {
    "attn_logit_softcapping": "add_attn_logit_softcapping",
    "final_logit_softcapping": "add_final_logit_softcapping",
}
GEMMA4 = Family(
    "gemma4",
    activations=GELU,
    any_slide=True,
    settings={**EXPERTS, "top_k_experts": "add_expert_used_count"},
    requires=fits_gemma4,
    add_attention=add_gemma4_attention,
    parts=gemma_parts,
)
FAMILIES = {
    "llama": Family("llama", rotary_pairs=True),
    "mistral": Family("llama", rotary_pairs=True),
    "qwen2": Family("qwen2"),
    "qwen3": Family("qwen3"),
    "gpt2": Family(
        "gpt2",
        transposed=("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"),
        skipped=(".attn.bias", ".attn.masked_bias"),
        layer_norm=True,
        activations=("gelu_new",),
    ),
    "gemma": Family("gemma", norms_of_one=True, activations=GELU),
    "gemma2": Family(
        "gemma2",
        norms_of_one=True,
        activations=GELU,
        every=2,
        settings=SOFTCAPS,
        requires=lambda config: (
            _scales_by_head(config) and bool(config.attn_logit_softcapping and config.final_logit_softcapping)
        ),
    ),
    "gemma3_text": Family(
        "gemma3",
        norms_of_one=True,
        activations=GELU,
        every=6,
        required={
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "use_bidirectional_attention": False,
        },
        requires=_scales_by_head,
    ),
    "gemma3n_text": Family(
        "gemma3n",
        activations=GELU,
        every=5,
        required={
            "altup_active_idx": 0,
            "altup_correct_scale": True,
            "altup_num_inputs": 4,
            "attention_bias": False,
            "final_logit_softcapping": 30.0,
            "hidden_size_per_layer_input": 256,
            "laurel_rank": 64,
        },
        requires=fits_gemma3n,
        add_more=add_gemma3n,
        parts=gemma_parts,
    ),
    "gemma4_text": GEMMA4,
    "gemma4_unified_text": GEMMA4,
    "phi3": Family("phi3"),
    "smollm3": Family(
        "smollm3",
        rotary_pairs=True,
        requires=lambda config: (
            config.no_rope_layers == [int((n + 1) % 4 != 0) for n in range(config.num_hidden_layers)]
        ),
    ),
    "granite": Family("granite", rotary_pairs=True, settings=SCALES),
    "olmo2": Family("olmo2"),
    "olmo3": Family("olmo2", every=4, requires=_one_base),
    "exaone4": Family(
        "exaone4",
        any_slide=True,
        settings={"sliding_window": "add_sliding_window"},
        requires=_slides_if_large,
    ),
    "cohere": Family(
        "command-r",
        layer_norm=True,
        settings={"logit_scale": "add_logit_scale"},
        required={"use_qk_norm": False, "attention_bias": False, "tie_word_embeddings": True},
        requires=lambda config: config.num_hidden_layers < 64,
    ),
    "cohere2": Family("cohere2", layer_norm=True, every=4, settings={"logit_scale": "add_logit_scale"}),
    "lfm2": Family("lfm2", settings={"conv_L_cache": "add_shortconv_l_cache"}, required={"conv_bias": False}),
    "qwen3_next": Family("qwen3next", **LINEAR_ATTENTION, settings=SHARED_EXPERT, required=ALL_SPARSE),
    "qwen3_5_text": Family("qwen35", **LINEAR_ATTENTION),
    "qwen3_5_moe_text": Family("qwen35moe", **LINEAR_ATTENTION, settings=SHARED_EXPERT, required=ALL_SPARSE),
    "glm4": Family("glm4"),
    "seed_oss": Family("seed_oss"),
    "ernie4_5": Family("ernie4_5"),
    "starcoder2": Family("starcoder2", layer_norm=True, activations=GELU),
    "ministral3": Family("mistral3", rotary_pairs=True, add_more=_add_temperature),
    "olmo": Family(
        "olmo",
        rotary_pairs=True,
        layer_norm=True,
        settings={"clip_qkv": "add_clamp_kqv"},
        required={"attention_bias": False},
    ),
    "phi": Family("phi2", layer_norm=True, activations=GELU, required={"qk_layernorm": False}),
    "stablelm": Family(
        "stablelm",
        layer_norm=True,
        settings={"use_parallel_residual": "add_parallel_residual"},
        required={"qk_layernorm": False},
    ),
    "hunyuan_v1_dense": Family("hunyuan-dense", required={"attention_bias": False}),
    **MIXTURES,
    **LATENT_ATTENTION,
    **STATE_SPACES,
}
"""By ``model_type`` in config.json."""


def family_of(config: "PretrainedConfig") -> Family:
    """The family of a model. Raises GgufError if it is not supported."""
    known: Any = config
    family = FAMILIES.get(known.model_type)
    if family is None:
        names = ", ".join(FAMILIES)
        raise GgufError(f'models of the type "{known.model_type}" can\'t be written as GGUF yet (supported: {names})')
    family.check(known)
    return family


def positions(config: Any) -> int:
    """How many tokens llama.cpp may read."""
    return FAMILIES[config.model_type].positions(config)
