"""A preference round: the model learns to prefer the better of two replies.

Its loss is that of DPO (Rafailov et al. 2023, "Direct Preference Optimization") plus a supervised term, which keeps the
better replies from becoming less likely as well (Pang et al. 2024, "Iterative Reasoning Preference Optimization"):
the mean over pairs of ``-log sigmoid(beta * margin)`` plus ``SUPERVISED`` times the mean cross entropy per token of the
better replies, where ``margin`` is how much more the log-probability of the better reply has risen, since the beginning
of the round, than that of the worse one.
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
RATE = 1 / 33
"""Of the peak rate of the supervised training. This and the two above were measured, see docs/training.md."""
WARMUP, COOLDOWN = 0.1, 0.4


@dataclass(frozen=True, slots=True)
class PreferenceStep:
    """The gradient of a step, computed; losses from before its update."""

    loss: float
    """Cross entropy of the better replies, in nats per token."""
    preference_loss: float
    """DPO's part, mean over the pairs."""
    accuracy: float
    """Fraction of pairs with a positive margin; one half for each margin of zero."""
    gradient_loss: float
    """Not a number if the gradient isn't one."""
    tokens: int


class PreferenceRound:
    """One round over ``pairs``, relative to ``reference``: the log-probabilities of their replies at its beginning."""

    def __init__(self, updates: Updates, pairs: list[Pair], reference: list[list[float]], max_length: int) -> None:
        self.steps = -(-len(pairs) // PAIRS_PER_STEP)
        self._updates = updates
        self._pairs = pairs
        self._reference = torch.tensor(reference, dtype=torch.float64)
        self._max_length = max_length

    def rate_factor(self, step: int) -> float:
        """The fraction of the supervised peak rate in a step of the round, counted from 0."""
        return RATE * rate_factor(step, self.steps, WARMUP, COOLDOWN)

    def gradients(self, step: int) -> PreferenceStep:
        """Compute the gradient of a step, counted from 0."""
        part = slice(step * PAIRS_PER_STEP, (step + 1) * PAIRS_PER_STEP)
        pairs = self._pairs[part]
        loss = PairLoss(self._updates.loss, pairs, self._reference[part])
        batch = pair_batch(pairs, self._max_length, self._updates.machine.device)
        gradient_loss = self._updates.gradients(batch, loss)
        scores = loss.all_scores()
        margins = _margins(scores, self._reference[part])
        return PreferenceStep(
            loss=-scores[:, 0].sum().item() / loss.chosen_tokens,
            preference_loss=torch.nn.functional.softplus(-BETA * margins).mean().item(),
            accuracy=_share_above_zero(margins),
            gradient_loss=gradient_loss,
            tokens=sum(pair.tokens for pair in pairs),
        )


class PairLoss:
    """The loss of a round, of some pairs; it keeps the log-probabilities of their replies.

    ``reference``, of shape (pairs, 2), are those at the beginning of the round.
    """

    def __init__(self, labelled: LabelledLoss, pairs: list[Pair], reference: torch.Tensor | None = None) -> None:
        self.chosen_tokens = sum(len(pair.chosen) for pair in pairs)
        self._labelled = labelled
        self._scores = torch.zeros(len(pairs), 2, dtype=torch.float64)
        self._reference = self._scores.clone() if reference is None else reference

    def __call__(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed over the pairs of ``batch``, which is a part of `pair_batch`, and divided by the number of all."""
        windows = {name: batch[name].flatten(0, 1) for name in ("input_ids", "labels")}
        real = batch["labels"].ne(IGNORED).flatten(1).any(dim=1)
        scores = -self._labelled.by_window(model, windows).view(-1, 2)[real]
        numbers = batch["pair"][real, 0, 0].cpu()
        self._scores[numbers] = scores.detach().cpu().double()
        margins = _margins(scores, self._reference[numbers].to(scores.device, scores.dtype))
        preference = torch.nn.functional.softplus(-BETA * margins).sum() / len(self._scores)
        return preference - SUPERVISED / self.chosen_tokens * scores[:, 0].sum()

    def all_scores(self) -> torch.Tensor:
        """Log-probabilities of the better and the worse reply of each pair, in nats: float64, shape (pairs, 2).

        Those that other processes computed are among them.
        """
        return torch.tensor(distributed.totals(self._scores.flatten().tolist()), dtype=torch.float64).view(-1, 2)


def log_probabilities(updates: Updates, pairs: list[Pair], max_length: int) -> torch.Tensor:
    """Those of the better and the worse reply of each pair, in nats: float64, shape (pairs, 2)."""
    found = [torch.empty(0, 2, dtype=torch.float64)]
    for start in range(0, len(pairs), PAIRS_PER_STEP):
        part = pairs[start : start + PAIRS_PER_STEP]
        loss = PairLoss(updates.loss, part)
        updates.without_gradients(pair_batch(part, max_length, updates.machine.device), loss)
        found.append(loss.all_scores())
    return torch.cat(found)


def pair_accuracy(updates: Updates, pairs: list[Pair], max_length: int) -> float:
    """The fraction of pairs whose better reply is the more probable one; nan without pairs."""
    better, worse = log_probabilities(updates, pairs, max_length).unbind(1)
    return _share_above_zero(better - worse)


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


def _margins(scores: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    risen = scores - reference
    return risen[:, 0] - risen[:, 1]


def _share_above_zero(values: torch.Tensor) -> float:
    return (values.gt(0).double() + 0.5 * values.eq(0)).mean().item()
