"""How a model family is stored: its settings, and its weights by llama.cpp's names and layout."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.errors import GgufError
from selfchatbot.gguf.rotary import add_rotary_settings, head_size, paired, rotary_tensors
from selfchatbot.gguf.tensors import Tensor, float32, stored_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

EXACT = ("position_embd", "shortconv.conv", "ffn_gate_inp", "ssm_conv1d", ".ssm_a", ".ssm_d", ".ssm_norm", ".altup_")
"""Positions, filters and routers, which llama.cpp wants in float32 or which are small."""
SUFFIXES = (".weight", ".bias", ".scale")
GELU = ("gelu_pytorch_tanh", "gelu_new")
UNLIMITED = 2**20
"""Positions of a model without any."""
EPSILON = 1e-5
"""Of the norms of OLMo 1, whose configuration doesn't say it."""


def add_attention(writer: Any, config: Any) -> None:
    """Add the heads of each layer, none where it has a filter, their sizes and positions."""
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
    add_attention: Callable[[Any, Any], None] = add_attention
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

    def positions(self, config: Any) -> int:
        """How many tokens llama.cpp may read: where it lets no layer slide, as many as fit into the window."""
        longest = int(getattr(config, "max_position_embeddings", None) or UNLIMITED)
        window = int(getattr(config, "sliding_window", None) or 0)
        slides = window and getattr(config, "use_sliding_window", True) and not (self.every or self.any_slide)
        return min(longest, window) if slides else longest

    def add_settings(self, writer: Any, model: "PreTrainedModel") -> None:
        """Add the sizes and constants of the network."""
        config: Any = model.config
        writer.add_vocab_size(model.get_input_embeddings().weight.shape[0])
        writer.add_context_length(self.positions(config))
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(getattr(config, "num_attention_heads", 0))
        writer.add_feed_forward_length(_inner_size(model))
        keys = ("rms_norm_eps", "norm_eps", "norm_epsilon", "layer_norm_eps", "layer_norm_epsilon")
        epsilon = next((getattr(config, key) for key in keys if hasattr(config, key)), EPSILON)
        (writer.add_layer_norm_eps if self.layer_norm else writer.add_layer_norm_rms_eps)(epsilon)
        if self.every:
            writer.add_sliding_window(config.sliding_window)
        values = {method: getattr(config, key, None) for key, method in self.settings.items() if hasattr(config, key)}
        for method, value in values.items():
            if value is not None:
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
                ending = part.name if part.name.endswith((*SUFFIXES, ".A_log", ".D")) else f"{part.name}.weight"
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
            return lambda weight: paired(weight, config.num_attention_heads, config)
        if self.rotary_pairs and ".self_attn.k_proj." in name:
            return lambda weight: paired(weight, config.num_key_value_heads, config)
        if self.norms_of_one and name.endswith("norm.weight") and ".linear_attn." not in name:
            return lambda weight: weight + 1
        return lambda weight: weight


def _inner_size(model: "PreTrainedModel") -> int | list[int]:
    """The intermediate size, of each layer where they differ; some configurations only say how it is rounded."""
    config: Any = model.config
    if config.model_type == "lfm2":
        return int(model.get_parameter("model.layers.0.feed_forward.w1.weight").shape[0])
    if config.model_type == "nemotron_h":
        return [config.intermediate_size if kind in ("moe", "mlp") else 0 for kind in config.layer_types]
    if config.model_type == "granitemoehybrid" and not config.num_local_experts:
        return int(config.shared_intermediate_size)
    size = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * config.hidden_size
    if getattr(config, "use_double_wide_mlp", False):
        return [size * 2 if mode == "reuse" else size for mode in config.kv_sharing_modes]
    return int(size[0] if isinstance(size, list) else size)


def _values(part: Tensor, change: Callable[[Any], Any]) -> "Callable[[], NDArray[Any]]":
    return lambda: float32(change(part.values()))


def _pattern(every: int, layers: int) -> list[str]:
    return ["full_attention" if (number + 1) % every == 0 else "sliding_attention" for number in range(layers)]
