"""The learning rate over a run, as a trapezoid: it rises, stays, and falls to nothing where training ends.

Zhai et al. 2022, "Scaling Vision Transformers"; Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond
Fixed Training Durations". Where a run has few steps, those that a cosine spends far below the peak are missed: see
docs/training.md.
"""

from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def schedule(optimizer: Optimizer, steps: int, warmup: float, cooldown: float) -> LambdaLR:
    """A scheduler for ``steps`` updates; ``warmup`` and ``cooldown`` are the shares in which the rate rises and falls.

    No update has a rate of 0: the first one has a step's rise, the last one is a step's fall above it.
    """
    return LambdaLR(optimizer, partial(share, steps=steps, rise=round(steps * warmup), fall=round(steps * cooldown)))


def share(step: int, steps: int, rise: int, fall: int) -> float:
    """What part of its peak the rate of update number ``step`` is, from 0."""
    return max(0.0, min(1.0, (step + 1) / max(rise, 1), (steps - step) / max(fall, 1)))
