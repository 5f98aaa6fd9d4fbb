"""Which engine plays a checkpoint, loaded."""

import importlib.util
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfchatbot.chat_format import ChatFormat
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.models import Machine, fast_machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import check_checkpoint, load_checkpoint, load_checkpoint_tokenizer
from selfchatbot.player.engines.protocol import Engine

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "transformers", "llama.cpp"]
ENGINES: tuple[EngineName, ...] = ("auto", "transformers", "llama.cpp")


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a player needs."""

    engine: Engine
    chat_format: ChatFormat
    parameters: GenerationParameters


def load_engine(
    checkpoint: Path, parameters: GenerationParameters | None, machine: Machine | None, name: EngineName
) -> Loaded:
    """Load a checkpoint into the engine of that name.

    "auto" is llama.cpp where it is installed and the quicker one, else transformers; what stands in its way is logged
    in one line. Raises SelfChatBotError for a checkpoint that is not there or damaged, and for "llama.cpp" by name when
    it can't be.
    """
    check_checkpoint(checkpoint)
    installed = importlib.util.find_spec("xllamacpp") is not None
    if name == "llama.cpp" and not installed:
        raise UsageError('the engine llama.cpp is not installed: pip install "selfchatbot[fast]"')
    if name == "llama.cpp" or (name == "auto" and installed and parameters is not None and not _card_would_idle()):
        try:
            return _llamacpp(checkpoint, parameters)
        except (SelfChatBotError, OSError, ImportError) as error:
            reason = (
                f"{error.strerror} ({error.filename})" if isinstance(error, OSError) and error.filename else str(error)
            )
            if name == "llama.cpp":
                raise SelfChatBotError(f"llama.cpp can't play this: {reason}") from error
            logger.warning("played by transformers, slower than by llama.cpp: %s", reason)
    return _transformers(checkpoint, parameters, machine)


def _llamacpp(checkpoint: Path, parameters: GenerationParameters | None) -> Loaded:
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine
    from selfchatbot.player.gguf_cache import checkpoint_gguf

    parameters = parameters or GenerationParameters(model=str(checkpoint))
    gguf = checkpoint_gguf(checkpoint, parameters)
    chat_format = ChatFormat(load_checkpoint_tokenizer(checkpoint))
    return Loaded(LlamaCppEngine(gguf, parameters.max_length), chat_format, parameters)


def _transformers(checkpoint: Path, parameters: GenerationParameters | None, machine: Machine | None) -> Loaded:
    from selfchatbot.player.engines.transformers import TransformersEngine

    loaded = load_checkpoint(checkpoint, parameters, machine or fast_machine())
    parameters = parameters or GenerationParameters(model=loaded.base)
    engine = TransformersEngine(loaded.model, min(loaded.window, parameters.max_length))
    return Loaded(engine, ChatFormat(loaded.tokenizer), parameters)


def _card_would_idle() -> bool:
    """Whether there is a CUDA card that this build of llama.cpp can't use: transformers on it is quicker then."""
    if shutil.which("nvidia-smi") is None:
        return False
    import xllamacpp

    return not any("gpu" in str(device["type"]).lower() for device in xllamacpp.get_device_info())
