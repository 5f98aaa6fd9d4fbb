"""The GGUF file of a checkpoint: written once into the results folder, again when the checkpoint is another."""

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

LAYOUT = "1"
"""Counts up when another version of this program writes something else into the file."""
PART = 2**20
"""Bytes of a file's beginning and end that tell it from another one."""


def checkpoint_gguf(
    checkpoint: Path,
    parameters: GenerationParameters | None = None,
    quantization: Quantization = "q8_0",
) -> Path:
    """``best-<digest>.q8_0.gguf`` beside the folder ``best``, made if it isn't there yet (seconds to minutes).

    Raises GgufError for a model of a family that can't be written, SelfChatBotError for a damaged checkpoint, OSError
    for a folder that can't be written to.
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
    for former in checkpoint.parent.glob(f"{checkpoint.name}-*.{quantization}.gguf"):
        if former != path:
            with suppress(OSError):  # on Windows, another player may have it open
                former.unlink()
    return path


def digest(checkpoint: Path, model: str) -> str:
    """Tells checkpoints apart by size, beginning and end of their files, and by the base model's name."""
    hashed = hashlib.sha256(f"{LAYOUT} {model}".encode())
    for file in sorted(checkpoint.iterdir()):
        if file.suffix in (".json", ".safetensors", ".jinja"):
            size = file.stat().st_size
            hashed.update(f"{file.name} {size}".encode())
            with file.open("rb") as stream:
                hashed.update(stream.read(PART))
                stream.seek(max(0, size - PART))
                hashed.update(stream.read(PART))
    return hashed.hexdigest()[:12]
