"""The GGUF file of a checkpoint: written once into the results folder, and again when the checkpoint changes."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from selfchatbot.chat_format import ChatFormat
from selfchatbot.files import remove_leftovers
from selfchatbot.gguf.writer import Quantization, write_gguf
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint

logger = logging.getLogger(__name__)

LAYOUT_VERSION = "1"
"""Increased when a version of this program writes the file in another way."""
SAMPLED_BYTES = 2**20
"""Bytes at the beginning and the end of a file that are part of its digest."""


def checkpoint_gguf(
    checkpoint: Path,
    parameters: GenerationParameters | None = None,
    quantization: Quantization = "q8_0",
) -> Path:
    """``best-<digest>.q8_0.gguf`` beside the folder ``best``, written if it isn't there yet (seconds to minutes).

    Raises GgufError for a model family that can't be written, SelfChatBotError for a damaged checkpoint, OSError for a
    folder that can't be written to.
    """
    model = parameters.model if parameters else ""
    path = checkpoint.with_name(f"{checkpoint.name}-{digest(checkpoint, model)}.{quantization}.gguf")
    if path.exists():
        return path
    import torch

    logger.info("writing %s, once for this checkpoint", path.name)
    remove_leftovers(checkpoint.parent)
    loaded = load_checkpoint(checkpoint, parameters, Machine("cpu", torch.float32))
    end = ChatFormat(loaded.tokenizer).end
    write_gguf(path, loaded.model, loaded.tokenizer, end, quantization)
    for outdated in checkpoint.parent.glob(f"{checkpoint.name}-*.{quantization}.gguf"):
        if outdated != path:
            with suppress(OSError):  # on Windows, another player may have it open
                outdated.unlink()
    return path


def digest(checkpoint: Path, model: str) -> str:
    """Identifies a checkpoint by the sizes, beginnings and ends of its files, and by the name of its base model."""
    hashed = hashlib.sha256(f"{LAYOUT_VERSION} {model}".encode())
    for file in sorted(checkpoint.iterdir()):
        if file.suffix in (".json", ".safetensors", ".jinja"):
            size = file.stat().st_size
            hashed.update(f"{file.name} {size}".encode())
            with file.open("rb") as stream:
                hashed.update(stream.read(SAMPLED_BYTES))
                stream.seek(max(0, size - SAMPLED_BYTES))
                hashed.update(stream.read(SAMPLED_BYTES))
    return hashed.hexdigest()[:12]
