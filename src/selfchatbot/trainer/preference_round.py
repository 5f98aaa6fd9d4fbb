"""A preference round: the model learns to prefer the better of two replies.

Its loss is that of DPO (Rafailov et al. 2023, "Direct Preference Optimization") without a reference model, plus a
supervised term, as in CPO (Xu et al. 2024, "Contrastive Preference Optimization"): the mean over pairs of
``-log sigmoid(beta * margin)`` plus ``SUPERVISED`` times the mean cross entropy per token of the better replies, where
``margin`` is by how much the better reply is more probable than the worse one, in nats. So a pair that the model
already tells apart changes it little.
"""

from dataclasses import dataclass

import torch

from selfchatbot.chat_format import IGNORED
from selfchatbot.trainer.data import Batch, collate, real_lengths
from selfchatbot.trainer.preference_pairs import PAIRS_PER_STEP, Pair
from selfchatbot.trainer.schedule import rate_factor
from selfchatbot.trainer.updates import Updates

BETA = 0.1
SUPERVISED = 0.3
RATE = 1 / 15
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
        """Compute the gradient of a step, counted from 0.

        The gradient of the loss is that of a cross entropy with weights that depend on the margins. These are
        computed first, without dropout and noise.
        """
        pairs = self._pairs[step * PAIRS_PER_STEP : (step + 1) * PAIRS_PER_STEP]
        batch = pair_batch(pairs, self._max_length, self._updates.machine.device)
        scores = -self._updates.window_losses(batch).view(-1, 2)
        margins = scores[:, 0] - scores[:, 1]
        chosen_tokens = sum(len(pair.chosen) for pair in pairs)
        weights = preference_weights(margins, chosen_tokens).flatten().to(batch["labels"].device, torch.float32)
        batch["weights"] = weights[batch["window"]] * batch["labels"].ne(IGNORED)
        return PreferenceStep(
            loss=-scores[:, 0].sum().item() / chosen_tokens,
            preference_loss=torch.nn.functional.softplus(-BETA * margins).mean().item(),
            accuracy=_share_above_zero(margins),
            gradient_loss=self._updates.gradients(batch, 1.0),
            tokens=sum(real_lengths(batch)),
        )


def preference_weights(margins: torch.Tensor, chosen_tokens: int) -> torch.Tensor:
    """The weights of the cross entropies of both replies of each pair whose gradient is that of the round's loss.

    ``margins`` has shape (pairs,), the result (pairs, 2): better, worse.
    """
    pull = BETA * torch.sigmoid(-BETA * margins) / len(margins)
    return torch.stack([pull + SUPERVISED / chosen_tokens, -pull], dim=1)


def pair_accuracy(updates: Updates, pairs: list[Pair], max_length: int) -> float:
    """The fraction of pairs whose better reply is the more probable one; nan without pairs."""
    parts = [pairs[start : start + PAIRS_PER_STEP] for start in range(0, len(pairs), PAIRS_PER_STEP)]
    losses = [updates.window_losses(pair_batch(part, max_length, updates.machine.device)) for part in parts]
    better, worse = torch.cat([torch.empty(0, dtype=torch.float64), *losses]).view(-1, 2).unbind(1)
    return _share_above_zero(worse - better)


def pair_batch(pairs: list[Pair], max_length: int, device: str) -> Batch:
    """Two windows for each pair, of which only the replies have labels; longest first.

    ``window``, of shape (windows, 1), is twice the number of the pair, plus 1 for its worse reply.
    """
    replies = [reply for pair in pairs for reply in (pair.chosen, pair.rejected)]
    prompts = [pair.prompt for pair in pairs for _ in range(2)]
    order = sorted(range(len(replies)), key=lambda window: -len(prompts[window]) - len(replies[window]))
    rows = [
        {
            "input_ids": [*prompts[window], *replies[window]],
            "labels": [IGNORED] * len(prompts[window]) + list(replies[window]),
        }
        for window in order
    ]
    batch = collate(rows, max_length)
    batch["window"] = torch.tensor(order)[:, None]
    return {name: values.to(device) for name, values in batch.items()}


def _share_above_zero(values: torch.Tensor) -> float:
    return (values.gt(0).double() + 0.5 * values.eq(0)).mean().item()
