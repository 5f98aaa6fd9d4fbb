"""What model families differ in and what has to be known before any weights are loaded.

Many checkpoints also see or hear. Only their language model is loaded: the rest would take memory, and adapters on it
would never learn anything from text.
"""

import inspect
from typing import TYPE_CHECKING, Any

from selfchatbot.errors import SelfChatBotError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

LANGUAGE_MODEL_KEYS = {
    r"^(model\.language_model|language_model\.model)\.": "model.",
    r"^(language_model|model\.language_model)\.lm_head\.": "lm_head.",
}
"""From the names of weights in a checkpoint that also sees or hears to those in its language model."""
CACHES = ("cache", "past_key_values", "cache_params")
"""What forward passes call their cache, in the order of transformers' versions, newest first."""

READ_WEIGHTS = {"gemma3n_text": ("prediction_coefs", "correction_coefs")}
"""Small linear layers whose weights a forward pass reads or limits: they are neither adapted nor in 4 bits."""
OWN_CACHE = ("minimax",)
"""Families whose forward pass takes only a cache of their own class."""


def language_config(config: "PretrainedConfig") -> "PretrainedConfig":
    """The configuration of the language model: a part of ``config``, or all of it."""
    text: Any = config.get_text_config(decoder=True)
    if text is not config:
        text.tie_word_embeddings = config.tie_word_embeddings  # the whole model decides
        if getattr(config, "quantization_config", None) is not None:
            text.quantization_config = config.quantization_config
    return text


def skeleton(config: "PretrainedConfig") -> "PreTrainedModel":
    """The language model of ``config`` without memory for its weights (on torch's device "meta").

    Raises SelfChatBotError for a family that can't be trained and played here.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = language_config(config)
    kind = f'models of the type "{config.model_type}"'
    if getattr(config, "is_encoder_decoder", False):
        raise SelfChatBotError(f"{kind} have an encoder, which can't be trained here: choose another model")
    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise SelfChatBotError(f"{kind} can't be loaded to write text: choose another model") from error
    except ImportError as error:
        raise SelfChatBotError(f"{kind} need a package that is not installed: {error}") from error
    takes_cache = set(CACHES) & set(inspect.signature(model.forward).parameters)
    if config.model_type in OWN_CACHE or not takes_cache or model.get_output_embeddings() is None:
        raise SelfChatBotError(f"{kind} remember what they read in a way of their own: choose another model")
    return model


def linear_layers(model: "torch.nn.Module") -> "dict[str, torch.nn.Module]":
    """All linear layers but the output layer, by name."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    head = getattr(model, "get_output_embeddings", lambda: None)()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Linear | Conv1D) and module is not head
    }


def expert_stacks(model: "torch.nn.Module") -> "dict[str, torch.nn.Parameter]":
    """The weights of all experts of a layer in one parameter of shape (experts, ..., ...), by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.ndim == 3 and min(weight.shape) > 1}
