"""The model families that can be written: their settings, and their weights by llama.cpp's names and layout.

What llama.cpp computes for an architecture is in its source (src/models); what it doesn't read from the file, such as
which layers slide, is required of the configuration here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.errors import GgufError
from selfchatbot.gguf.gemma import add_gemma3n, add_gemma4_attention, fits_gemma3n, fits_gemma4, gemma_parts
from selfchatbot.gguf.linear_attention import add_linear_attention, fits_linear_attention, linear_attention_parts
from selfchatbot.gguf.rotary import add_rotary_settings, paired, rotary_tensors
from selfchatbot.gguf.tensors import Tensor, float32, stored_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PretrainedConfig, PreTrainedModel

EXACT = ("position_embd", "shortconv.conv", "ffn_gate_inp", "ssm_conv1d", ".altup_")
"""Positions, filters and routers, which llama.cpp wants in float32 or which are small."""
SUFFIXES = (".weight", ".bias", ".scale")
GELU = ("gelu_pytorch_tanh", "gelu_new")


def _add_attention(writer: Any, config: Any) -> None:
    kinds = getattr(config, "layer_types", None) or []
    heads = [config.num_key_value_heads if "attention" in kind else 0 for kind in kinds]
    writer.add_head_count_kv(heads if 0 in heads else config.num_key_value_heads)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    add_rotary_settings(writer, config, head_size(config))


@dataclass(frozen=True, slots=True)
class Family:
    """How a model family is stored. The names of its tensors come from the package `gguf`."""

    architecture: str
    rotary_pairs: bool = False
    """llama.cpp rotates neighbouring dimensions of queries and keys, transformers those half a head apart."""
    transposed: tuple[str, ...] = ()
    """Ends of names of weights that transformers stores as (in, out)."""
    skipped: tuple[str, ...] = ()
    """Ends of names of buffers that are not weights."""
    norms_of_one: bool = False
    """transformers multiplies by one plus the weight of a norm, llama.cpp by what is stored."""
    layer_norm: bool = False
    """Means are subtracted: LayerNorm instead of RMSNorm."""
    activations: tuple[str, ...] = ("silu",)
    every: int | None = None
    """All layers slide but each one with this number; None: llama.cpp lets none slide, unless ``any_slide``."""
    any_slide: bool = False
    """The file says which layers slide."""
    settings: dict[str, str] = field(default_factory=dict)
    """From keys of the configuration to methods of `gguf.GGUFWriter`; a key without a value is left out."""
    required: dict[str, Any] = field(default_factory=dict)
    """Values of the configuration that llama.cpp takes for granted."""
    requires: Callable[[Any], bool] = lambda _: True
    """The same, as a condition."""
    add_attention: Callable[[Any, Any], None] = _add_attention
    """Adds the sizes and positions of attention."""
    add_more: Callable[[Any, Any], None] = lambda writer, config: None
    """Adds settings that are no key of the configuration."""
    parts: Callable[[Any, str, Any], Iterator[Tensor]] = lambda model, name, weight: stored_parts(name, weight)
    """The tensors that llama.cpp has of a weight of transformers."""

    def check(self, config: Any) -> None:
        """Raise GgufError for a model of this family that llama.cpp would compute in another way."""
        names = ("hidden_activation", "hidden_act", "activation_function")
        activation = next((found for name in names if (found := getattr(config, name, None))), "silu")
        if activation not in self.activations:
            raise GgufError(f'models with the activation "{activation}" can\'t be written as GGUF')
        if self.every and config.layer_types != _pattern(self.every, config.num_hidden_layers):
            raise GgufError("models whose layers slide in another order can't be written as GGUF")
        wrong = [key for key, value in self.required.items() if getattr(config, key, value) != value]
        if wrong or not self.requires(config):
            kind = wrong[0] if wrong else self.architecture
            raise GgufError(f"models with this setting of {kind} can't be written as GGUF")

    def add_settings(self, writer: Any, model: "PreTrainedModel") -> None:
        """Add the sizes and constants of the network."""
        config: Any = model.config
        writer.add_vocab_size(model.get_input_embeddings().weight.shape[0])
        writer.add_context_length(positions(config))
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        writer.add_feed_forward_length(_inner_size(model))
        epsilon = next(
            getattr(config, key)
            for key in ("rms_norm_eps", "norm_eps", "norm_epsilon", "layer_norm_eps", "layer_norm_epsilon")
            if hasattr(config, key)
        )
        (writer.add_layer_norm_eps if self.layer_norm else writer.add_layer_norm_rms_eps)(epsilon)
        if self.every:
            writer.add_sliding_window(config.sliding_window)
        for key, method in self.settings.items():
            if (value := getattr(config, key, None)) is not None:
                getattr(writer, method)(value)
        if self.architecture != "gpt2":
            self.add_attention(writer, config)
        self.add_more(writer, config)

    def tensors(self, model: "PreTrainedModel") -> Iterator[Tensor]:
        """All weights. Raises GgufError for one that the family doesn't have."""
        import gguf

        config: Any = model.config
        architecture = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == self.architecture)
        names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
        for name, weight in model.state_dict().items():
            if name.endswith(self.skipped) or (name == "lm_head.weight" and config.tie_word_embeddings):
                continue
            for part in self.parts(model, name, weight):
                # A weight that is no module's, such as a stack of experts, has no suffix in llama.cpp's table.
                ending = part.name if part.name.endswith((*SUFFIXES, ".A_log")) else f"{part.name}.weight"
                stored = names.get_name(ending, try_suffixes=SUFFIXES)
                if stored is None:
                    raise GgufError(f"this model can't be written as GGUF: llama.cpp has no tensor for its {name}")
                transposed = part.name.endswith(self.transposed or ("\0",))
                change = self._change(part.name, config)
                yield Tensor(
                    stored,
                    tuple(reversed(part.shape)) if transposed else part.shape,
                    _values(part, change),
                    exact=any(kind in stored for kind in EXACT),
                )
        yield from rotary_tensors(model)

    def _change(self, name: str, config: Any) -> "Callable[[Any], Any]":
        if name.endswith(self.transposed or ("\0",)):
            return lambda weight: weight.T
        if self.rotary_pairs and ".self_attn.q_proj." in name:
            return lambda weight: paired(weight, config.num_attention_heads)
        if self.rotary_pairs and ".self_attn.k_proj." in name:
            return lambda weight: paired(weight, config.num_key_value_heads)
        if self.norms_of_one and name.endswith("norm.weight") and ".linear_attn." not in name:
            return lambda weight: weight + 1
        return lambda weight: weight


def _inner_size(model: "PreTrainedModel") -> int | list[int]:
    """The intermediate size, of each layer where they differ; some configurations only say how it is rounded."""
    config: Any = model.config
    if config.model_type == "lfm2":
        return int(model.get_parameter("model.layers.0.feed_forward.w1.weight").shape[0])
    size = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * config.hidden_size
    if getattr(config, "use_double_wide_mlp", False):
        return [size * 2 if mode == "reuse" else size for mode in config.kv_sharing_modes]
    return int(size[0] if isinstance(size, list) else size)


def _values(part: Tensor, change: Callable[[Any], Any]) -> "Callable[[], NDArray[Any]]":
    return lambda: float32(change(part.values()))


def _pattern(every: int, layers: int) -> list[str]:
    return ["full_attention" if (number + 1) % every == 0 else "sliding_attention" for number in range(layers)]


def _scales_by_head(config: Any) -> bool:
    """Whether attention is scaled by its head size, as in all of Gemma but 27B."""
    return bool(config.query_pre_attn_scalar == config.head_dim and config.num_hidden_layers not in (46, 62))


def _one_base(config: Any) -> bool:
    """Whether sliding layers rotate with the base of the others."""
    return len({kind["rope_theta"] for kind in config.rope_parameters.values()}) == 1


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
ALL_SPARSE = {"norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": []}
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
    "granitemoe": Family("granitemoe", rotary_pairs=True, settings={**SCALES, **EXPERTS}),
    "olmo2": Family("olmo2"),
    "olmo3": Family("olmo2", every=4, requires=_one_base),
    "qwen2_moe": Family(
        "qwen2moe",
        settings=SHARED_EXPERT,
        required={**ALL_SPARSE, "norm_topk_prob": False},
    ),
    "exaone4": Family("exaone4", required={"sliding_window": None}),
    "cohere2": Family("cohere2", layer_norm=True, every=4, settings={"logit_scale": "add_logit_scale"}),
    "lfm2": Family("lfm2", settings={"conv_L_cache": "add_shortconv_l_cache"}, required={"conv_bias": False}),
    "qwen3_moe": Family("qwen3moe", settings=EXPERTS, required=ALL_SPARSE),
    "qwen3_next": Family("qwen3next", **LINEAR_ATTENTION, settings=SHARED_EXPERT, required=ALL_SPARSE),
    "qwen3_5_text": Family("qwen35", **LINEAR_ATTENTION),
    "qwen3_5_moe_text": Family("qwen35moe", **LINEAR_ATTENTION, settings=SHARED_EXPERT, required=ALL_SPARSE),
    "glm4": Family("glm4"),
    "seed_oss": Family("seed_oss"),
    "ernie4_5": Family("ernie4_5"),
    "starcoder2": Family("starcoder2", layer_norm=True, activations=GELU),
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


def head_size(config: Any) -> int:
    """Dimensions of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def positions(config: Any) -> int:
    """How many tokens llama.cpp may read: where it lets no layer slide, as many as fit into the window."""
    longest = int(config.max_position_embeddings)
    window = int(getattr(config, "sliding_window", None) or 0)
    family = FAMILIES[config.model_type]
    slides = window and getattr(config, "use_sliding_window", True) and not (family.every or family.any_slide)
    return min(longest, window) if slides else longest
