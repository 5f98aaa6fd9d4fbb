"""A preference round: the model learns to prefer the better of two replies.

Its loss is that of DPO (Rafailov et al. 2023, "Direct Preference Optimization") without a reference model, plus a
supervised term, as in CPO (Xu et al. 2024, "Contrastive Preference Optimization"): the mean over pairs of
``-log sigmoid(beta * margin)`` plus ``SUPERVISED`` times the mean cross entropy per token of the better replies, where
``margin`` is by how much the better reply is more probable than the worse one, in nats. So a pair that the model
already tells apart changes it little.
"""

from dataclasses import dataclass

import torch

from selfchatbot import distributed
from selfchatbot.chat_format import IGNORED
from selfchatbot.trainer.data import Batch
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.preference_pairs import PAIRS_PER_STEP, Pair
from selfchatbot.trainer.schedule import rate_factor
from selfchatbot.trainer.updates import Updates

BETA = 0.1
SUPERVISED = 0.3
RATE = 1 / 8
"""Of the peak rate of the supervised training. This and the two above were measured, see docs/training.md."""
WARMUP, COOLDOWN = 0.1, 0.4


@dataclass(frozen=True, slots=True)
class PreferenceStep:
    """The gradient of a step, computed; losses from before its update."""

    loss: float
    """Cross entropy of the better replies, in nats per token."""
    preference_loss: float
    """Without the supervised term: the mean over the pairs."""
    accuracy: float
    """Fraction of pairs with a positive margin; one half for each margin of zero."""
    gradient_loss: float
    """Not a number if the gradient isn't one."""
    tokens: int


class PreferenceRound:
    """One round over ``pairs``."""

    def __init__(self, updates: Updates, pairs: list[Pair], max_length: int) -> None:
        self.steps = -(-len(pairs) // PAIRS_PER_STEP)
        self._updates = updates
        self._pairs = pairs
        self._max_length = max_length

    def rate_factor(self, step: int) -> float:
        """The fraction of the supervised peak rate in a step of the round, counted from 0."""
        return RATE * rate_factor(step, self.steps, WARMUP, COOLDOWN)

    def gradients(self, step: int) -> PreferenceStep:
        """Compute the gradient of a step, counted from 0."""
        pairs = self._pairs[step * PAIRS_PER_STEP : (step + 1) * PAIRS_PER_STEP]
        loss = PairLoss(self._updates.loss, pairs)
        batch = pair_batch(pairs, self._max_length, self._updates.machine.device)
        gradient_loss = self._updates.gradients(batch, loss)
        scores = loss.all_scores()
        margins = scores[:, 0] - scores[:, 1]
        return PreferenceStep(
            loss=-scores[:, 0].sum().item() / loss.chosen_tokens,
            preference_loss=torch.nn.functional.softplus(-BETA * margins).mean().item(),
            accuracy=_share_above_zero(margins),
            gradient_loss=gradient_loss,
            tokens=sum(pair.tokens for pair in pairs),
        )


class PairLoss:
    """The loss of a round, of some pairs; it keeps the log-probabilities of their replies."""

    def __init__(self, labelled: LabelledLoss, pairs: list[Pair]) -> None:
        self.chosen_tokens = sum(len(pair.chosen) for pair in pairs)
        self._labelled = labelled
        self._scores = torch.zeros(len(pairs), 2, dtype=torch.float64)

    def __call__(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed over the pairs of ``batch``, which is a part of `pair_batch`, and divided by the number of all."""
        windows = {name: batch[name].flatten(0, 1) for name in ("input_ids", "labels")}
        real = batch["labels"].ne(IGNORED).flatten(1).any(dim=1)
        scores = -self._labelled.by_window(model, windows).view(-1, 2)[real]
        self._scores[batch["pair"][real, 0, 0].cpu()] = scores.detach().cpu().double()
        preference = torch.nn.functional.softplus(-BETA * (scores[:, 0] - scores[:, 1])).sum() / len(self._scores)
        return preference - SUPERVISED / max(self.chosen_tokens, 1) * scores[:, 0].sum()

    def all_scores(self) -> torch.Tensor:
        """Log-probabilities of the better and the worse reply of each pair, in nats: float64, shape (pairs, 2).

        Those that other processes computed are among them.
        """
        return torch.tensor(distributed.totals(self._scores.flatten().tolist()), dtype=torch.float64).view(-1, 2)


def pair_accuracy(updates: Updates, pairs: list[Pair], max_length: int) -> float:
    """The fraction of pairs whose better reply is the more probable one; nan without pairs."""
    margins = [torch.empty(0, dtype=torch.float64)]
    for start in range(0, len(pairs), PAIRS_PER_STEP):
        part = pairs[start : start + PAIRS_PER_STEP]
        loss = PairLoss(updates.loss, part)
        updates.without_gradients(pair_batch(part, max_length, updates.machine.device), loss)
        better, worse = loss.all_scores().unbind(1)
        margins.append(better - worse)
    return _share_above_zero(torch.cat(margins))


def pair_batch(pairs: list[Pair], max_length: int, device: str) -> Batch:
    """Two windows for each pair, the better one first, of which only the replies have labels; longest pair first.

    ``pair``, of shape (pairs, 1, 1), is the number of the pair.
    """
    longest = [len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda number: -longest[number])
    shape = (len(pairs), 2, max(max_length, *longest))
    batch = {
        "input_ids": torch.zeros(shape, dtype=torch.long),
        "labels": torch.full(shape, IGNORED),
        "pair": torch.tensor(order)[:, None, None],
    }
    for place, number in enumerate(order):
        prompt, *replies = pairs[number]
        for side, reply in enumerate(replies):
            end = len(prompt) + len(reply)
            batch["input_ids"][place, side, :end] = torch.as_tensor([*prompt, *reply])
            batch["labels"][place, side, len(prompt) : end] = torch.as_tensor(reply)
    return {name: values.to(device) for name, values in batch.items()}


def _share_above_zero(values: torch.Tensor) -> float:
    return (values.gt(0).double() + 0.5 * values.eq(0)).mean().item()
