"""The training loss: cross entropy on my words only."""

from typing import TYPE_CHECKING, Any

import torch

from selfchatbot.chat_format import IGNORED
from selfchatbot.trainer.data import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LabelledLoss:
    """Sum of the cross entropy, in nats, over the labelled tokens of a batch, times their weights if it has any.

    A hook before the output layer keeps only the hidden states that predict a labelled token, so that logits of shape
    (labels, vocabulary) are computed instead of (windows, tokens, vocabulary); anything that a model family does to its
    logits afterwards still happens. No attention mask is needed: padding is on the right and attention is causal.
    """

    def __init__(self, model: "PreTrainedModel") -> None:
        self._mask: torch.Tensor | None = None
        model.get_output_embeddings().register_forward_pre_hook(self._select)

    def __call__(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        targets = batch["labels"][:, 1:]
        self._mask = targets.ne(IGNORED)
        try:
            logits = model(input_ids=batch["input_ids"], use_cache=False).logits
        finally:
            mask, self._mask = self._mask, None
        if "weights" not in batch:
            return torch.nn.functional.cross_entropy(logits.float(), targets[mask], reduction="sum")
        losses = torch.nn.functional.cross_entropy(logits.float(), targets[mask], reduction="none")
        return losses @ batch["weights"][:, 1:][mask]

    def _select(self, _: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._mask is None:
            return None
        hidden, *rest = arguments
        return (hidden[:, :-1][self._mask], *rest)
