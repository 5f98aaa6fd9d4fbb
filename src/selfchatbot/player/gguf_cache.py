"""The GGUF file of a checkpoint: written once into the results folder, and again when the checkpoint changes.

Its SHA-256 is written next to it, in the format of ``sha256sum``, so that a damaged file is noticed and replaced.
"""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from selfchatbot.chat_format import ChatFormat
from selfchatbot.chat_format.saved import save_chat_format
from selfchatbot.files import fingerprint, read_small, remove_leftovers, write_text
from selfchatbot.gguf.writer import Quantization, check_gguf, write_gguf
from selfchatbot.models import Machine, load_config, window
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import base_name, load_checkpoint, load_checkpoint_tokenizer

logger = logging.getLogger(__name__)

LAYOUT_VERSION = "1"
"""Increased when a version of this program writes the file in another way."""


def checkpoint_gguf(
    checkpoint: Path,
    parameters: GenerationParameters | None = None,
    quantization: Quantization = "q8_0",
) -> Path:
    """``best-<digest>.q8_0.gguf`` beside the folder ``best``, written if it is missing or damaged (seconds to minutes).

    Raises GgufError for a model family that can't be written, SelfChatBotError for a damaged checkpoint, OSError for a
    folder that can't be written to.
    """
    model = parameters.model if parameters else ""
    path = checkpoint.with_name(f"{checkpoint.name}-{digest(checkpoint, model)}.{quantization}.gguf")
    if _is_intact(path):
        return path
    import torch

    # Before anything is loaded: a model that can't be written is asked for at every start.
    config = load_config(base_name(checkpoint, parameters))
    longest = window(config, parameters.max_length) if parameters else 0
    check_gguf(config, load_checkpoint_tokenizer(checkpoint), longest)
    logger.info("writing %s, once for this checkpoint", path.name)
    remove_leftovers(checkpoint.parent)
    loaded = load_checkpoint(checkpoint, parameters, Machine("cpu", torch.float32))
    chat_format = ChatFormat(loaded.tokenizer)
    write_gguf(path, loaded.model, loaded.tokenizer, chat_format.end, quantization)
    save_chat_format(chat_format, format_file(path))
    write_text(_checksum_file(path), f"{fingerprint(path)}  {path.name}\n")
    for outdated in checkpoint.parent.glob(f"{checkpoint.name}-*.{quantization}.gguf*"):
        if outdated not in (path, _checksum_file(path), format_file(path)):
            with suppress(OSError):  # on Windows, another player may have it open
                outdated.unlink()
    return path


def digest(checkpoint: Path, model: str) -> str:
    """Identifies a checkpoint by the content of its files and the name of its base model: 12 hexadecimal digits."""
    hashed = hashlib.sha256(f"{LAYOUT_VERSION} {model}".encode())
    for file in sorted(checkpoint.iterdir()):
        if file.suffix in (".json", ".safetensors", ".jinja"):
            hashed.update(f"{file.name} {fingerprint(file)}".encode())
    return hashed.hexdigest()[:12]


def format_file(gguf: Path) -> Path:
    """The chat format of a GGUF file that was written here; there may be none."""
    return gguf.with_name(f"{gguf.name}.format.json")


def _is_intact(path: Path) -> bool:
    try:
        return read_small(_checksum_file(path)).decode().split(" ")[0] == fingerprint(path)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
