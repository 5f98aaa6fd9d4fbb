"""Loads a folder of the results as a model that is ready to play."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.errors import SelfChatBotError, lacks_memory
from selfchatbot.files import read_small
from selfchatbot.model_files import check_files, refuse_missing
from selfchatbot.models import Machine, load_model, load_tokenizer, this_machine, window
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.merging import merge

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

UNLIMITED = 10**9
"""Positions of a model whose configuration has no limit."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint."""

    model: "PreTrainedModel"
    """On its device, with adapters merged into the weights."""
    tokenizer: "PreTrainedTokenizerBase"
    base: str
    """The name of the base model, or the folder of a whole model."""
    window: int
    """The number of positions of the model."""


def load_checkpoint(
    folder: Path, parameters: GenerationParameters | None = None, machine: Machine | None = None
) -> Checkpoint:
    """Load best/, final/ or any folder of that kind. Raises SelfChatBotError when it is missing or damaged."""
    import torch

    machine = machine or this_machine()
    adapter = check_checkpoint(folder)
    base = base_name(folder, parameters)
    tokenizer = load_checkpoint_tokenizer(folder)
    # Adapters are merged in float32 and rounded once, where main memory holds the model anyway.
    dtype = torch.float32 if machine.device == "cpu" else machine.dtype
    if adapter is None:
        model = _loaded(folder, lambda: load_model(base, dtype))
    else:
        model = _loaded(folder, lambda: _merged(load_model(base, dtype), folder, adapter))
    return Checkpoint(_placed(model, machine), tokenizer, base, window(model.config, UNLIMITED))


def load_base(folder: Path, parameters: GenerationParameters, machine: Machine | None = None) -> Checkpoint:
    """The base model, as it was before training, with the tokenizer of the checkpoint in ``folder``.

    Raises SelfChatBotError when one of them is missing or damaged.
    """
    machine = machine or this_machine()
    tokenizer = load_checkpoint_tokenizer(folder)
    model = load_model(parameters.model, machine.dtype)
    return Checkpoint(_placed(model, machine), tokenizer, parameters.model, window(model.config, UNLIMITED))


def load_checkpoint_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer alone. Raises SelfChatBotError when it is damaged."""
    tokenizer: PreTrainedTokenizerBase = _loaded(folder, lambda: load_tokenizer(str(folder)))
    return tokenizer


def check_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The content of adapter_config.json; None for a whole model. Raises SelfChatBotError for any other folder."""
    if not (folder / "config.json").exists() and not (folder / "adapter_config.json").exists():
        raise SelfChatBotError(f"{folder} holds no checkpoint: train again")
    check_files(folder)
    if not (folder / "adapter_config.json").exists():
        return None
    try:
        config = json.loads(read_small(folder / "adapter_config.json"))
        if not isinstance(config, dict):
            raise ValueError("no object")
        return config
    except (OSError, ValueError, RecursionError) as error:
        raise SelfChatBotError(f"{folder} is damaged (adapter_config.json): train again") from error


def base_name(folder: Path, parameters: GenerationParameters | None = None) -> str:
    """The name of the base model of adapters, or the folder of a whole model.

    The name in parameters.json stays valid if the results move to another machine, the saved one may not.
    """
    adapter = check_checkpoint(folder)
    if adapter is None:
        return str(folder)
    return str(adapter.get("base_model_name_or_path")) if parameters is None else parameters.model


def _placed(model: "PreTrainedModel", machine: Machine) -> "PreTrainedModel":
    for parameter in model.parameters():  # not `model.to(dtype)`, which would round the rotary frequencies too
        parameter.data = parameter.data.to(machine.dtype)
    return model.to(machine.device).eval()


def _merged(model: "PreTrainedModel", folder: Path, config: dict[str, Any]) -> "PreTrainedModel":
    """The base model with the adapters merged into its weights, which makes it as fast as the base model alone."""
    if merge(model, folder, config):
        return model
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    # If it isn't there, peft would look for another file, or for the folder's name on the hub.
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        there = set(file.keys())
    adapted = PeftModel.from_pretrained(model, folder)
    refuse_missing(get_peft_model_state_dict(adapted, save_embedding_layers=False).keys() - there, str(folder))
    return adapted.merge_and_unload()


def _loaded(folder: Path, load: Callable[[], Any]) -> Any:
    """Load a part of the checkpoint. Raises SelfChatBotError in one line for a file that is cut or of another kind."""
    try:
        return load()
    except (SelfChatBotError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # each library has its own exceptions, and Rust's are not even Exceptions
        if lacks_memory(error):
            raise MemoryError from error
        reason = str(error).strip().split("\n")[0]
        raise SelfChatBotError(f"{folder} is damaged ({type(error).__name__}: {reason}): train again") from error
