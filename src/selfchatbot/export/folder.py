"""A trained model as one folder to take along: for transformers, for llama.cpp and its relatives, for Ollama.

It holds weights, the tokenizer and settings, and none of the text that the model was trained with.
"""

from pathlib import Path

from selfchatbot.chat_format import ChatFormat
from selfchatbot.export.card import model_card
from selfchatbot.export.modelfile import modelfile
from selfchatbot.files import atomic_directory, remove_leftovers
from selfchatbot.gguf.writer import Quantization, write_gguf
from selfchatbot.likeness.result import Likeness
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint


def export(
    checkpoint: Path,
    folder: Path,
    parameters: GenerationParameters,
    name: str,
    quantization: Quantization = "q8_0",
    losses: tuple[float, float] | None = None,
    likeness: Likeness | None = None,
) -> None:
    """Write ``folder`` anew: config.json, model.safetensors and tokenizer, NAME.gguf, Modelfile, README.md.

    ``name`` is the person's, ``losses`` are those of the base model and of this one on validation, in nats per trained
    token, ``likeness`` is what an evaluation of it found. The folder appears whole or not at all. Raises
    SelfChatBotError when the checkpoint is damaged and GgufError when its family can't be written as GGUF.
    """
    import torch

    loaded = load_checkpoint(checkpoint, parameters, Machine("cpu", torch.float32))
    chat_format = ChatFormat(loaded.tokenizer)
    gguf = f"{_plain(name)}.{quantization}.gguf"
    remove_leftovers(folder.parent)
    with atomic_directory(folder) as partial:
        write_gguf(partial / gguf, loaded.model, loaded.tokenizer, chat_format.end, quantization, name)
        _set_generation(loaded.model, chat_format, parameters)
        # Half the bytes, as models are shared; float32 adds nothing to what a base model of 16 bits knows.
        loaded.model.to(torch.bfloat16).save_pretrained(partial)
        loaded.tokenizer.save_pretrained(partial)
        (partial / "Modelfile").write_text(modelfile(gguf, chat_format, parameters), encoding="utf-8", newline="\n")
        card = model_card(name, parameters.model, gguf, losses, likeness)
        (partial / "README.md").write_text(card, encoding="utf-8", newline="\n")


def _set_generation(model: object, chat_format: ChatFormat, parameters: GenerationParameters) -> None:
    """generation_config.json: what `generate` of transformers does when it is told nothing."""
    from transformers import GenerationConfig

    greedy = parameters.temperature == 0
    sampling = {} if greedy else {"temperature": parameters.temperature, "top_p": parameters.top_p}
    model.generation_config = GenerationConfig(  # type: ignore[attr-defined]
        do_sample=not greedy,
        **sampling,
        **({} if greedy else {"top_k": parameters.top_k}),
        repetition_penalty=parameters.repetition_penalty,
        max_new_tokens=parameters.max_new_tokens,
        eos_token_id=chat_format.end,
        bos_token_id=chat_format.tokenizer.bos_token_id,
        pad_token_id=chat_format.end,
    )


def _plain(name: str) -> str:
    """A file name that every system takes, without spaces: a Modelfile has no quotes for it."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name).strip("-") or "model"


__all__ = ["export"]
