"""best/ and final/: folders that `from_pretrained` and `AutoPeftModelForCausalLM` load."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from selfchatbot import distributed
from selfchatbot.changes import RECORD_NAME
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import atomic_directory

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_model(
    folder: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    record: dict[str, Any],
    weights: dict[str, Any] | None = None,
) -> None:
    """Replace ``folder`` atomically: weights or adapters as safetensors, tokenizer, chat template, and what it was
    trained with, ``record``.

    ``weights`` must be given if they are sharded. Only the first process writes.
    """
    if not distributed.is_main():
        return
    with whole_folder(folder) as partial:
        model.save_pretrained(partial, state_dict=weights)
        tokenizer.save_pretrained(partial)
        (partial / RECORD_NAME).write_text(json.dumps(record, indent=1), encoding="utf-8", newline="\n")
        # peft's model card is empty except for a local path.
        (partial / "README.md").unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """`atomic_directory` for weights. Raises SelfChatBotError when they can't be written, as on a full disk."""
    try:
        with atomic_directory(folder) as partial:
            yield partial
    except SafetensorError as error:
        raise SelfChatBotError(
            f"{folder} can't be written ({error}): free some space and run the same command again to resume from the "
            "last checkpoint"
        ) from error
