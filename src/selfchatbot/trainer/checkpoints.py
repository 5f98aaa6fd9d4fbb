"""best/ and final/: whole folders that `from_pretrained` and `AutoPeftModelForCausalLM` load."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot import ranks
from selfchatbot.atomic import atomic_directory

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_checkpoint(
    folder: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    weights: dict[str, Any] | None = None,
) -> None:
    """Weights (or adapters) as safetensors, tokenizer and chat template, all at once in the place of ``folder``.

    ``weights`` if the model does not hold them itself. Of several processes, the first one writes.
    """
    if ranks.rank():
        return
    with atomic_directory(folder) as partial:
        model.save_pretrained(partial, state_dict=weights)
        tokenizer.save_pretrained(partial)
        # A model card of peft's that says nothing and names a path of this machine.
        (partial / "README.md").unlink(missing_ok=True)
