"""The training loss: cross entropy on my words only."""

from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.chat_format import IGNORED
from selfchatbot.models import Machine
from selfchatbot.trainer.data import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def length_multiple(machine: Machine) -> int:
    """What the lengths of windows are rounded up to, so that shapes repeat.

    A CPU multiplies 16-bit matrices with oneDNN, which compiles a program for each new shape: 1.5 MiB and about a
    millisecond, 40 times for one window.
    """
    return 32 if machine.device == "cpu" and machine.dtype.itemsize < 4 else 1


class LabelledLoss:
    """Sum of the cross entropy, in nats, over the labelled tokens of a batch, times their weights if it has any.

    A hook before the output layer keeps only the hidden states that predict a labelled token, so that logits of shape
    (labels, vocabulary) are computed instead of (windows, tokens, vocabulary); anything that a model family does to its
    logits afterwards still happens. No attention mask is needed: padding is on the right and attention is causal.

    Their number is rounded up to a ``multiple``, see `length_multiple`: the first token again, not trained.
    """

    def __init__(self, model: "PreTrainedModel", multiple: int = 1) -> None:
        self._multiple = multiple
        self._places: tuple[torch.Tensor, torch.Tensor] | None = None
        model.get_output_embeddings().register_forward_pre_hook(self._select)

    def __call__(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        targets = batch["labels"][:, 1:]
        rows, columns = targets.ne(IGNORED).nonzero(as_tuple=True)
        chosen = targets[rows, columns]
        if added := -len(chosen) % self._multiple:
            rows, columns, chosen = (
                torch.nn.functional.pad(one, (0, added), value=value)
                for one, value in ((rows, 0), (columns, 0), (chosen, IGNORED))
            )
        self._places = rows, columns
        try:
            logits = model(input_ids=batch["input_ids"], use_cache=False).logits
        finally:
            self._places = None
        weighted = "weights" in batch
        losses = torch.nn.functional.cross_entropy(
            logits.float(), chosen, ignore_index=IGNORED, reduction="none" if weighted else "sum"
        )
        return losses @ batch["weights"][:, 1:][rows, columns] if weighted else losses

    def _select(self, _: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._places is None:
            return None
        hidden, *rest = arguments
        return (hidden[self._places], *rest)
