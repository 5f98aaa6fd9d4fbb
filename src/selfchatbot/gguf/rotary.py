"""Rotary positions: the frequencies that llama.cpp needs, and the order in which it expects the dimensions."""

import math
from collections.abc import Iterator
from typing import Any

from selfchatbot.gguf.errors import GgufError
from selfchatbot.gguf.tensors import Tensor, float32

NO_ROTATION = 1e30
"""Divides a frequency down to nothing."""


def add_rotary_settings(writer: Any, config: Any, head_size: int) -> None:
    """Add base and number of dimensions, and the scaling where it is no tensor.

    Raises GgufError for a scaling that llama.cpp doesn't know.
    """
    import gguf

    full, sliding = _parameters(config)
    writer.add_rope_freq_base(_base(full, head_size))
    writer.add_rope_dimension_count(_dimensions(full, head_size))
    if sliding is not None:
        if sliding.get("rope_type", "default") != "default":
            raise GgufError("models that scale positions in sliding layers can't be written as GGUF yet")
        writer.add_rope_freq_base_swa(sliding["rope_theta"])
    kind = full.get("rope_type", "default")
    if kind == "longrope":
        original = full.get("original_max_position_embeddings") or config.original_max_position_embeddings
        stretched = config.max_position_embeddings / original
        attention = full.get("attention_factor") or math.sqrt(1 + math.log(stretched) / math.log(original))
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(attention if stretched > 1 else 1.0)
    elif kind == "linear" and sliding is not None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(full["factor"])
    elif kind == "yarn":
        _add_yarn(writer, config, full)
    elif kind == "dynamic" and full.get("alpha"):
        pass  # the base says it all
    elif kind not in ("default", "linear", "llama3"):
        raise GgufError(f'models with rotary scaling of the type "{kind}" can\'t be written as GGUF yet')


def _add_yarn(writer: Any, config: Any, parameters: dict[str, Any]) -> None:
    """Add the settings of YaRN (Peng et al. 2023). Raises GgufError for those that llama.cpp doesn't have."""
    import gguf

    if not parameters.get("truncate", True):
        raise GgufError("models with these settings of YaRN can't be written as GGUF yet")
    factor = parameters["factor"]
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(factor)
    original = parameters.get("original_max_position_embeddings") or config.max_position_embeddings
    writer.add_rope_scaling_orig_ctx_len(original)
    writer.add_rope_scaling_yarn_beta_fast(parameters.get("beta_fast") or 32.0)
    writer.add_rope_scaling_yarn_beta_slow(parameters.get("beta_slow") or 1.0)
    scale, all_scale = parameters.get("mscale"), parameters.get("mscale_all_dim")
    attention = parameters.get("attention_factor")
    if getattr(config, "kv_lora_rank", None) and all_scale:
        if attention or scale != all_scale:
            raise GgufError("models with these settings of YaRN can't be written as GGUF yet")
        writer.add_rope_scaling_yarn_log_mul(0.1 * all_scale)
        return
    if not attention and scale and all_scale:
        attention = _sharper(factor, scale) / _sharper(factor, all_scale)
    if attention:  # llama.cpp multiplies by YaRN's own factor (section 3.4)
        writer.add_rope_scaling_attn_factors(attention / _sharper(factor, 1.0))


def _sharper(factor: float, scale: float) -> float:
    """By how much attention to positions that are ``factor`` times as many is sharper."""
    return 0.1 * scale * math.log(factor) + 1 if factor > 1 else 1.0


def rotary_tensors(model: Any) -> Iterator[Tensor]:
    """The divisors of the rotary frequencies, in models that scale their positions (Llama 3, Phi-3.5 and others)."""
    config = model.config
    if getattr(config, "rope_parameters", None) is None:
        return
    full, sliding = _parameters(config)
    kind = full.get("rope_type", "default")
    if kind == "longrope":
        for name in ("long", "short"):
            yield _tensor(f"rope_factors_{name}.weight", full[f"{name}_factor"])
    elif kind == "proportional":  # the last frequencies don't rotate
        yield _divisors(model.get_decoder().rotary_emb.full_attention_inv_freq, full["rope_theta"])
    elif kind in ("linear", "llama3") and sliding is None:
        yield _divisors(model.get_decoder().rotary_emb.inv_freq, full["rope_theta"])


def head_size(config: Any) -> int:
    """Dimensions of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def paired(weight: Any, heads: int, config: Any) -> Any:
    """Reorder the rows of a query or key weight (or bias) so that the two dimensions of a rotation are neighbours."""
    import numpy

    turning = _dimensions(_parameters(config)[0], weight.shape[0] // heads)
    rows = numpy.arange(weight.shape[0]).reshape(heads, -1)
    rows[:, :turning] = rows[:, :turning].reshape(heads, 2, -1).swapaxes(1, 2).reshape(heads, turning)
    return weight[rows.reshape(-1)]


def _parameters(config: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Those of layers that see everything and, if they have their own, those of sliding ones."""
    parameters = config.rope_parameters
    if "full_attention" in parameters:
        return parameters["full_attention"], parameters.get("sliding_attention")
    return parameters, None


def _base(parameters: dict[str, Any], head_size: int) -> float:
    """The base of the frequencies, which Hunyuan stretches (bloc97 2023, "NTK-aware scaled RoPE")."""
    alpha = parameters.get("alpha") if parameters.get("rope_type") == "dynamic" else None
    return float(parameters["rope_theta"] * (alpha ** (head_size / (head_size - 2)) if alpha else 1.0))


def _dimensions(parameters: dict[str, Any], head_size: int) -> int:
    return int(head_size * parameters.get("partial_rotary_factor", 1.0))


def _divisors(frequencies: Any, base: float) -> Tensor:
    """What llama.cpp divides the frequencies without scaling by to get these."""
    size = 2 * len(frequencies)
    return _tensor(
        "rope_freqs.weight",
        [
            base ** (-2 * index / size) / frequency if frequency else NO_ROTATION
            for index, frequency in enumerate(frequencies.double().tolist())
        ],
    )


def _tensor(name: str, values: list[float]) -> Tensor:
    return Tensor(name, (len(values),), lambda: float32(values))
