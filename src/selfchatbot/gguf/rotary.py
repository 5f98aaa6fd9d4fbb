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
    writer.add_rope_freq_base(full["rope_theta"])
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
        _add_yarn(writer, full, config.max_position_embeddings)
    elif kind not in ("default", "linear", "llama3"):
        raise GgufError(f'models with rotary scaling of the type "{kind}" can\'t be written as GGUF yet')


def _add_yarn(writer: Any, parameters: dict[str, Any], longest: int) -> None:
    """Add the settings of YaRN (Peng et al. 2023). Raises GgufError for those that llama.cpp doesn't have."""
    import gguf

    if parameters.get("mscale") or parameters.get("mscale_all_dim") or not parameters.get("truncate", True):
        raise GgufError("models with these settings of YaRN can't be written as GGUF yet")
    factor = parameters["factor"]
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(factor)
    writer.add_rope_scaling_orig_ctx_len(parameters.get("original_max_position_embeddings") or longest)
    writer.add_rope_scaling_yarn_beta_fast(parameters.get("beta_fast") or 32.0)
    writer.add_rope_scaling_yarn_beta_slow(parameters.get("beta_slow") or 1.0)
    if attention := parameters.get("attention_factor"):  # llama.cpp multiplies by YaRN's own factor (section 3.4)
        writer.add_rope_scaling_attn_factors(attention / (0.1 * math.log(factor) + 1))


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


def paired(weight: Any, heads: int) -> Any:
    """Reorder the rows of a query or key weight (or bias) so that the two dimensions of a rotation are neighbours."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _parameters(config: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Those of layers that see everything and, if they have their own, those of sliding ones."""
    parameters = config.rope_parameters
    if "full_attention" in parameters:
        return parameters["full_attention"], parameters.get("sliding_attention")
    return parameters, None


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
