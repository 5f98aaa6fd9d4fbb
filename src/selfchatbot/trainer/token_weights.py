"""Weights of trained tokens, for `loss_per` and `recency_half_life`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from selfchatbot.chat_format import IGNORED
from selfchatbot.messages import read_starts
from selfchatbot.parameters import TrainingParameters

if TYPE_CHECKING:
    from datasets import Dataset


def weighted(windows: "Dataset", parameters: TrainingParameters, conversations: Path) -> "Dataset":
    """The windows of a JSONL file, with a column of weights if ``parameters`` ask for it.

    Raises SelfChatBotError for a conversation without a start time if its age matters.
    """
    per_reply, half_life = parameters.loss_per == "reply", parameters.recency_half_life
    if not per_reply and half_life is None:
        return windows
    recent = None if half_life is None else recency(list(read_starts(conversations)), half_life)
    return with_weights(windows, recent, per_reply)


def with_weights(windows: "Dataset", recency: list[float] | None, per_reply: bool) -> "Dataset":
    """``windows`` with a column of ``weights``, one for each token.

    ``recency`` has the weight of each conversation; with ``per_reply``, the tokens of a reply share the weight of one
    token, so that long replies have no more weight than short ones. The mean over all trained tokens is 1, so that
    learning rate and gradient norm keep their meaning.
    """
    rows = []
    for labels, conversation in zip(windows["labels"], windows["conversation"], strict=True):
        trained = torch.tensor(labels).ne(IGNORED)
        row = _shares(trained) if per_reply else trained.float()
        rows.append(row if recency is None else row * recency[conversation])
    trained_tokens = sum(label != IGNORED for labels in windows["labels"] for label in labels)
    scale = trained_tokens / sum(row.sum().item() for row in rows)
    return windows.add_column("weights", [(row * scale).tolist() for row in rows])


def recency(starts: list[datetime], half_life: float) -> list[float]:
    """2^(-age / half_life) for conversations with these starts; age and half-life in days, age from the newest."""
    newest = max(starts)
    return [0.5 ** ((newest - start).total_seconds() / 86_400 / half_life) for start in starts]


def _shares(trained: torch.Tensor) -> torch.Tensor:
    """1 / length of its reply for each trained token of a window; consecutive trained tokens are one reply."""
    before = torch.cat([torch.zeros(1, dtype=torch.bool), trained[:-1]])
    reply = (trained & ~before).cumsum(0)
    lengths = torch.bincount(reply, trained.float())
    return torch.where(trained, 1 / lengths[reply], 0.0)
