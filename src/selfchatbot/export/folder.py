"""Writes a trained model as one folder, for transformers, for Ollama, and for llama.cpp and programs built on it.

The folder holds weights, tokenizer and settings, and no text from the chats.
"""

import logging
from pathlib import Path

from selfchatbot.chat_format import ChatFormat
from selfchatbot.display import visible_line
from selfchatbot.export.card import model_card
from selfchatbot.export.chat_template import chat_template
from selfchatbot.export.modelfile import modelfile
from selfchatbot.files import atomic_directory, remove_leftovers
from selfchatbot.gguf.families import positions
from selfchatbot.gguf.quantization import DEFAULT_QUANTIZATION, Quantization
from selfchatbot.gguf.writer import GgufError, write_gguf
from selfchatbot.likeness.result import Likeness
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint

logger = logging.getLogger(__name__)


def export(
    checkpoint: Path,
    folder: Path,
    parameters: GenerationParameters,
    name: str,
    quantization: Quantization = DEFAULT_QUANTIZATION,
    losses: tuple[float, float] | None = None,
    likeness: Likeness | None = None,
) -> None:
    """Write or replace ``folder``: config.json, model.safetensors, tokenizer, NAME.gguf, Modelfile, README.md.

    Without NAME.gguf and Modelfile, after a warning, if the model can't be written as GGUF. The chat template is that
    of the training, not the base model's. ``name`` is the person's. ``losses`` are the validation losses of the base
    model and of this one, in nats per trained token; ``likeness`` is the result of an evaluation. The folder appears
    complete or not at all. Raises SelfChatBotError for a damaged checkpoint.
    """
    import torch

    loaded = load_checkpoint(checkpoint, parameters, Machine("cpu", torch.float32))
    chat_format = ChatFormat(loaded.tokenizer)
    loaded.tokenizer.chat_template = chat_template(chat_format)
    gguf: str | None = f"{_file_name(name)}.{quantization}.gguf"
    remove_leftovers(folder.parent)
    with atomic_directory(folder) as partial:
        try:
            write_gguf(
                partial / str(gguf), loaded.model, loaded.tokenizer, chat_format.end, quantization, visible_line(name)
            )
        except GgufError as error:
            logger.warning("%s: the folder is for transformers and what is built on it", error)
            gguf = None
        _set_generation(loaded.model, chat_format, parameters)
        # The usual format for sharing: half the size, and the base model had 16 bits anyway.
        loaded.model.to(torch.bfloat16).save_pretrained(partial)
        loaded.tokenizer.save_pretrained(partial)
        if gguf:
            longest = min(parameters.max_length, positions(loaded.model.config))
            commands = modelfile(gguf, chat_format, parameters.model_copy(update={"max_length": longest}))
            (partial / "Modelfile").write_text(commands, encoding="utf-8", newline="\n")
        card = model_card(name, parameters.model, gguf, losses, likeness)
        (partial / "README.md").write_text(card, encoding="utf-8", newline="\n")


def _set_generation(model: object, chat_format: ChatFormat, parameters: GenerationParameters) -> None:
    """Set generation_config.json, the defaults of `generate` in transformers."""
    from transformers import GenerationConfig

    greedy = parameters.temperature == 0
    sampling = {} if greedy else {"temperature": parameters.temperature, "top_p": parameters.top_p}
    model.generation_config = GenerationConfig(  # type: ignore[attr-defined]
        do_sample=not greedy,
        **sampling,
        **({} if greedy else {"top_k": parameters.top_k}),
        **({"min_p": parameters.min_p} if parameters.min_p and not greedy else {}),
        repetition_penalty=parameters.repetition_penalty,
        max_new_tokens=parameters.max_new_tokens,
        eos_token_id=chat_format.end,
        bos_token_id=chat_format.tokenizer.bos_token_id,
        pad_token_id=chat_format.end,
    )


def _file_name(name: str) -> str:
    """``name`` as a file name on every system, without spaces: a Modelfile can't quote it."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name).strip("-") or "model"


__all__ = ["export"]
