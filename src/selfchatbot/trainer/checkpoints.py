"""best/ and final/: whole folders that `from_pretrained` and `AutoPeftModelForCausalLM` load."""

from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.atomic import atomic_directory

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_checkpoint(folder: Path, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Weights (or adapters) as safetensors, tokenizer and chat template, all at once in the place of ``folder``."""
    with atomic_directory(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        # A model card of peft's that says nothing and names a path of this machine.
        (partial / "README.md").unlink(missing_ok=True)
