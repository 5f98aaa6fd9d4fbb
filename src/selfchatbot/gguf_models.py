"""Turns a .gguf file into a folder that transformers loads, once."""

import io
import logging
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import atomic_directory, fingerprint, remove_leftovers
from selfchatbot.gguf.header import check_header
from selfchatbot.model_files import refuse_missing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


def converted(gguf: Path) -> Path:
    """The folder in the user's cache with the model of a .gguf file as safetensors in float32, made if necessary.

    transformers needs many seconds to read a GGUF file and can't save such a model, so this is done once. The folder
    appears complete or not at all. Raises SelfChatBotError for a file that is damaged, or no model that transformers
    knows.
    """
    from filelock import FileLock
    from platformdirs import user_cache_path

    cache = user_cache_path("selfchatbot", appauthor=False) / "models"
    folder = cache / f"{gguf.stem}-{fingerprint(gguf)[:12]}"
    if not (folder / "config.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".converting.lock", mode=0o600):
            if not (folder / "config.json").exists():  # another process may have made it meanwhile
                remove_leftovers(cache)
                with atomic_directory(folder) as partial:
                    _convert(gguf, partial)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check_header(gguf)
    logger.info("converting %s, only this once: about half a minute for a small model", gguf.name)
    try:
        with redirect_stderr(io.StringIO()):  # a progress bar that can't be turned off
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            source, found = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:
        raise SelfChatBotError(
            f"{gguf} can't be read as a GGUF model by transformers ({type(error).__name__}): choose another model"
        ) from error
    refuse_missing(found["missing_keys"], str(gguf))
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
