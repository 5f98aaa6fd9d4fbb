"""Qwen3-Next and Qwen3.5: most of their layers are gated delta nets (Yang et al. 2024), with a state."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.tensors import Tensor, stored_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fits_linear_attention(config: Any) -> bool:
    """Whether every so many layers have attention and the rest keys and values of one size."""
    every = _attention_every(config)
    return (
        config.linear_key_head_dim == config.linear_value_head_dim
        and config.linear_num_value_heads % config.linear_num_key_heads == 0
        and not config.attention_bias
        and config.layer_types
        == [
            "linear_attention" if (number + 1) % every else "full_attention"
            for number in range(config.num_hidden_layers)
        ]
    )


def add_linear_attention(writer: Any, config: Any) -> None:
    """Add the sizes of the layers without attention, in the words of Mamba, and how often others come."""
    writer.add_full_attention_interval(_attention_every(config))
    writer.add_ssm_conv_kernel(config.linear_conv_kernel_dim)
    writer.add_ssm_state_size(config.linear_key_head_dim)
    writer.add_ssm_group_count(config.linear_num_key_heads)
    writer.add_ssm_time_step_rank(config.linear_num_value_heads)
    writer.add_ssm_inner_size(config.linear_value_head_dim * config.linear_num_value_heads)
    if config.model_type != "qwen3_next":
        # Frequencies for time, height and width of what is seen: by turns, and of no concern to text.
        pairs = int(config.head_dim * config.rope_parameters.get("partial_rotary_factor", 1.0)) // 2
        writer.add_rope_dimension_sections([(pairs + 2) // 3, (pairs + 1) // 3, pairs // 3, 0])


def linear_attention_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """The weight ``name``, in the order of rows that llama.cpp expects.

    In Qwen3.5, value heads of the same key head are neighbours in transformers, and as far apart as there are key heads
    in llama.cpp. In Qwen3-Next, one projection has queries, keys, values and gates of a key head next to each other.
    """
    layer, found, part = name.rpartition("linear_attn.")
    if not found or part == "norm.weight":
        yield from stored_parts(name, weight)
    elif part == "in_proj_qkvz.weight":
        *qkv, gates = _split_by_key_head(model.config)
        yield _ordered(f"{layer}linear_attn.in_proj_qkv.weight", weight, [row for rows in qkv for row in rows])
        yield _ordered(f"{layer}linear_attn.in_proj_z.weight", weight, gates)
    elif part == "A_log":  # the rate of forgetting
        order = _value_rows(model.config, 1)
        yield Tensor(name, tuple(weight.shape), lambda: -_numpy(weight.exp())[order])
    elif part == "dt_bias":
        yield _ordered(f"{layer}linear_attn.dt_proj.bias", weight, _value_rows(model.config, 1))
    elif part in ("in_proj_a.weight", "in_proj_b.weight"):
        yield _ordered(name, weight, _value_rows(model.config, 1))
    elif part == "in_proj_z.weight":
        yield _ordered(name, weight, _value_rows(model.config, model.config.linear_value_head_dim))
    elif part in ("in_proj_qkv.weight", "conv1d.weight"):
        yield _ordered(name, weight.squeeze(1) if weight.dim() == 3 else weight, _query_key_value_rows(model.config))
    elif part == "out_proj.weight":
        order = _value_rows(model.config, model.config.linear_value_head_dim)
        yield Tensor(name, tuple(weight.shape), lambda: _numpy(weight)[:, order])
    else:
        yield from stored_parts(name, weight)


def _attention_every(config: Any) -> int:
    kinds = config.layer_types
    return (kinds.index("full_attention") if "full_attention" in kinds else len(kinds)) + 1


def _value_rows(config: Any, size: int) -> "NDArray[Any]":
    """The order of the rows of all value heads, each with ``size`` of them."""
    import numpy

    heads = numpy.arange(config.linear_num_value_heads)
    if config.model_type != "qwen3_next":
        heads = heads.reshape(config.linear_num_key_heads, -1).T.reshape(-1)
    return (heads[:, None] * size + numpy.arange(size)).reshape(-1)


def _query_key_value_rows(config: Any) -> "NDArray[Any]":
    import numpy

    keys = 2 * config.linear_num_key_heads * config.linear_key_head_dim
    return numpy.concatenate([numpy.arange(keys), keys + _value_rows(config, config.linear_value_head_dim)])


def _split_by_key_head(config: Any) -> "list[NDArray[Any]]":
    """The rows of queries, keys, values and gates in the projection that makes them all."""
    import numpy

    key, heads = config.linear_key_head_dim, config.linear_num_key_heads
    values = config.linear_num_value_heads // heads * config.linear_value_head_dim
    rows = numpy.arange(heads * (2 * key + 2 * values)).reshape(heads, -1)
    return [part.reshape(-1) for part in numpy.split(rows, [key, 2 * key, 2 * key + values], axis=1)]


def _ordered(name: str, weight: Any, rows: "NDArray[Any] | list[int]") -> Tensor:
    return Tensor(name, (len(rows), *weight.shape[1:]), lambda: _numpy(weight)[rows])


def _numpy(weight: Any) -> "NDArray[Any]":
    values: NDArray[Any] = weight.detach().float().cpu().numpy()
    return values
