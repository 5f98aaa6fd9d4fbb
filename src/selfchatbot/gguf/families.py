"""The model families that can be written: their settings, and their weights by llama.cpp's names and layout."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfchatbot.errors import SelfChatBotError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel


class GgufError(SelfChatBotError):
    """A model that can't be written as GGUF; the text says which part of it is not supported."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight as it is stored."""

    name: str
    shape: tuple[int, ...]
    """Rows first, as in torch."""
    values: "Callable[[], NDArray[Any]]"
    """float32, computed when it is written."""
    exact: bool = False
    """Kept in float32 although it is a matrix."""


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

    def add_settings(self, writer: Any, model: "PreTrainedModel") -> None:
        """Add the sizes and constants of the network."""
        config: Any = model.config
        writer.add_vocab_size(model.get_input_embeddings().weight.shape[0])
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        if self.architecture == "gpt2":
            writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
            writer.add_layer_norm_eps(config.layer_norm_epsilon)
            return
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_rope_dimension_count(head_size(config))
        writer.add_key_length(head_size(config))
        writer.add_value_length(head_size(config))

    def tensors(self, model: "PreTrainedModel") -> Iterator[Tensor]:
        """All weights. Raises GgufError for one that the family doesn't have."""
        import gguf

        config: Any = model.config
        architecture = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == self.architecture)
        names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
        for name, weight in model.state_dict().items():
            if name.endswith(self.skipped) or (name == "lm_head.weight" and config.tie_word_embeddings):
                continue
            stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if stored is None:
                raise GgufError(f"this model can't be written as GGUF: llama.cpp has no tensor for its {name}")
            change = self._change(name, config)
            shape = tuple(reversed(weight.shape)) if name.endswith(self.transposed or ("\0",)) else tuple(weight.shape)
            yield Tensor(stored, shape, _values(weight, change), exact=stored == "position_embd.weight")
        if factors := _rope_factors(model):
            yield Tensor("rope_freqs.weight", (len(factors),), lambda: _float32(factors))

    def _change(self, name: str, config: Any) -> "Callable[[Any], Any]":
        if name.endswith(self.transposed or ("\0",)):
            return lambda weight: weight.T
        if self.rotary_pairs and ".self_attn.q_proj." in name:
            return lambda weight: paired(weight, config.num_attention_heads)
        if self.rotary_pairs and ".self_attn.k_proj." in name:
            return lambda weight: paired(weight, config.num_key_value_heads)
        return lambda weight: weight


FAMILIES = {
    "llama": Family("llama", rotary_pairs=True),
    "mistral": Family("llama", rotary_pairs=True),
    "qwen2": Family("qwen2"),
    "qwen3": Family("qwen3"),
    "gpt2": Family(
        "gpt2",
        transposed=("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"),
        skipped=(".attn.bias", ".attn.masked_bias"),
    ),
}
"""By ``model_type`` in config.json."""


def family_of(model: "PreTrainedModel") -> Family:
    """The family of this model. Raises GgufError if it is not supported."""
    config: Any = model.config
    family = FAMILIES.get(config.model_type)
    if family is None:
        known = ", ".join(FAMILIES)
        raise GgufError(f'models of the type "{config.model_type}" can\'t be written as GGUF yet (supported: {known})')
    if _slides(config):
        raise GgufError("models with sliding-window attention can't be written as GGUF yet")
    activation = getattr(config, "hidden_act", None) or getattr(config, "activation_function", None)
    if activation not in ("silu", "gelu_new"):
        raise GgufError(f'models with the activation "{activation}" can\'t be written as GGUF')
    return family


def head_size(config: Any) -> int:
    """Dimensions of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def paired(weight: Any, heads: int) -> Any:
    """Reorder the rows of a query or key weight (or bias) so that the two dimensions of a rotation are neighbours."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _slides(config: Any) -> bool:
    """Whether attention is limited to a window shorter than the model's positions."""
    window = getattr(config, "sliding_window", None)
    used = getattr(config, "use_sliding_window", window is not None)
    return bool(used and window and window < config.max_position_embeddings)


def _rope_factors(model: "PreTrainedModel") -> list[float] | None:
    """The divisor of each rotary frequency, in models that scale their positions (Llama 3 and others)."""
    rotary: Any = getattr(getattr(model, "model", None), "rotary_emb", None)
    parameters = getattr(model.config, "rope_parameters", None) or {}
    kind = parameters.get("rope_type", "default")
    if rotary is None or kind == "default":
        return None
    if kind not in ("linear", "llama3") or rotary.attention_scaling != 1:
        raise GgufError(f'models with rotary scaling of the type "{kind}" can\'t be written as GGUF yet')
    frequencies = rotary.inv_freq.double().tolist()
    size = 2 * len(frequencies)
    base = float(parameters["rope_theta"])
    return [base ** (-2 * index / size) / frequency for index, frequency in enumerate(frequencies)]


def _values(weight: Any, change: "Callable[[Any], Any]") -> "Callable[[], NDArray[Any]]":
    return lambda: _float32(change(weight.detach().float().cpu().numpy()))


def _float32(values: Any) -> "NDArray[Any]":
    import numpy

    return numpy.ascontiguousarray(values, dtype=numpy.float32)
