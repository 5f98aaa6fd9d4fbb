"""Gemma 3n and Gemma 4: an embedding for each layer, and last layers that read keys and values of earlier ones."""

from collections.abc import Iterator
from typing import Any

from selfchatbot.gguf.tensors import Tensor, stored_parts

SPARSE_LAYERS, SPARSITY = 10, 0.95
"""Of Gemma 3n: the first layers, and the share of their activations that is zero."""
OWN_KEYS = 20
"""Layers of Gemma 3n with keys and values of their own."""


def fits_gemma3n(config: Any) -> bool:
    """Whether a Gemma 3n has the sizes that are constants in llama.cpp."""
    layers = config.num_hidden_layers
    sparse = [SPARSITY if number < SPARSE_LAYERS else 0.0 for number in range(layers)]
    return (
        config.num_kv_shared_layers == max(0, layers - OWN_KEYS)
        and list(config.activation_sparsity_pattern) == sparse
        and len(set(config.intermediate_size)) == 1
        and config.vocab_size_per_layer_input <= config.vocab_size
    )


def add_gemma3n(writer: Any, config: Any) -> None:
    """Add what llama.cpp takes for granted and other readers may not."""
    writer.add_altup_active_idx(config.altup_active_idx)
    writer.add_altup_num_inputs(config.altup_num_inputs)
    writer.add_embedding_length_per_layer_input(config.hidden_size_per_layer_input)
    writer.add_shared_kv_layers(config.num_kv_shared_layers)
    writer.add_final_logit_softcapping(config.final_logit_softcapping)


def fits_gemma4(config: Any) -> bool:
    """Whether a Gemma 4 differs in ways that the file can say."""
    kinds, first_shared = config.layer_types, config.num_hidden_layers - config.num_kv_shared_layers
    shared = config.num_kv_shared_layers
    heads = [(kind, _head_size(config, layer)) for layer, kind in enumerate(kinds)]
    rotary = {kind: config.rope_parameters[kind]["rope_type"] for kind in set(kinds)}
    return (
        # llama.cpp takes keys and values from the last two layers that have them: one of each kind
        (not shared or kinds[max(0, first_shared - 2) : first_shared] == ["sliding_attention", "full_attention"])
        and len(set(heads)) == len(rotary)
        and rotary == {"sliding_attention": "default", "full_attention": "proportional"}
        and config.use_bidirectional_attention != "all"
        and not config.attention_bias
        and getattr(config, "vocab_size_per_layer_input", 0) <= config.vocab_size
    )


def add_gemma4_attention(writer: Any, config: Any) -> None:
    """Add heads, positions and windows, which are not the same in all layers."""
    kinds = config.layer_types
    layers = [config.per_layer_config[layer] for layer in range(config.num_hidden_layers)]
    full, sliding = (_head_size(config, kinds.index(kind)) for kind in ("full_attention", "sliding_attention"))
    writer.add_head_count_kv([layer.num_key_value_heads for layer in layers])
    writer.add_key_length(full)
    writer.add_value_length(full)
    writer.add_key_length_swa(sliding)
    writer.add_value_length_swa(sliding)
    writer.add_rope_dimension_count(full)
    writer.add_rope_dimension_count_swa(sliding)
    writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
    writer.add_rope_freq_base_swa(config.rope_parameters["sliding_attention"]["rope_theta"])
    writer.add_sliding_window(config.sliding_window)
    writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in kinds])
    writer.add_shared_kv_layers(config.num_kv_shared_layers)
    writer.add_embedding_length_per_layer_input(getattr(config, "hidden_size_per_layer_input", 0))
    writer.add_final_logit_softcapping(config.final_logit_softcapping or 0.0)  # llama.cpp would take 30


def gemma_parts(model: Any, name: str, weight: Any) -> Iterator[Tensor]:
    """The weight ``name``, and what llama.cpp wants to find besides it."""
    config, layer = model.config, name.partition(".layers.")[2].partition(".")[0]
    if name.endswith("embed_tokens_per_layer.weight"):
        yield _with_rows(name, weight, model.get_input_embeddings().weight.shape[0])
    elif "altup_projections." in name or "altup_unembed_projections." in name:
        stack, _, which = name.removesuffix(".weight").rpartition(".")
        if which == "0":
            yield _stacked(f"{stack}.weight", [part.weight for part in model.get_submodule(stack)])
    elif name.endswith(".router.scale"):
        yield from stored_parts(f"blk.{layer}.ffn_gate_inp.scale", weight)
    elif name.endswith(".router.per_expert_scale"):
        yield from stored_parts(f"blk.{layer}.ffn_down_exps.scale", weight)
    elif name.endswith(".experts.gate_up_proj"):  # in one piece
        yield from stored_parts(f"blk.{layer}.ffn_gate_up_exps.weight", weight)
    else:
        yield from stored_parts(name, weight)
    if config.model_type == "gemma3n_text" and name.endswith(".q_proj.weight") and int(layer) >= OWN_KEYS:
        shape = (config.num_key_value_heads * config.head_dim, weight.shape[1])
        yield _zeros(name.replace("q_proj", "k_proj"), shape)
        yield _zeros(name.replace("q_proj", "v_proj"), shape)
        yield _zeros(name.replace("q_proj", "k_norm"), (config.head_dim,))


def _head_size(config: Any, layer: int) -> int:
    return int(config.per_layer_config[layer].head_dim)


def _with_rows(name: str, weight: Any, rows: int) -> Tensor:
    """Tokens that are no text have no embedding by layer."""
    import numpy

    missing = rows - weight.shape[0]
    return Tensor(
        name,
        (rows, weight.shape[1]),
        lambda: numpy.pad(weight.detach().float().cpu().numpy(), ((0, missing), (0, 0))),
    )


def _stacked(name: str, weights: list[Any]) -> Tensor:
    import torch

    shape = (len(weights), *weights[0].shape)
    return Tensor(name, shape, lambda: torch.stack(weights).detach().float().cpu().numpy())


def _zeros(name: str, shape: tuple[int, ...]) -> Tensor:
    """A weight that llama.cpp looks for and doesn't use."""
    import numpy

    return Tensor(name, shape, lambda: numpy.zeros(shape, numpy.float32))
