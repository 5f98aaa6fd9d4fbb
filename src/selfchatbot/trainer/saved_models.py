"""best/ and final/: whole folders that `from_pretrained` and `AutoPeftModelForCausalLM` load."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import atomic_directory

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
    if not distributed.is_main():
        return
    with whole_folder(folder) as partial:
        model.save_pretrained(partial, state_dict=weights)
        tokenizer.save_pretrained(partial)
        # A model card of peft's that says nothing and names a path of this machine.
        (partial / "README.md").unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """`atomic_directory` for weights. Raises SelfChatBotError when they can't be written: the disk is full."""
    try:
        with atomic_directory(folder) as partial:
            yield partial
    except SafetensorError as error:
        raise SelfChatBotError(
            f"{folder} can't be written ({error}): free some space and run the same command again, it goes on where it "
            "was saved last"
        ) from error
