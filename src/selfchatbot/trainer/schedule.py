"""The learning rate: its peak, and how it changes over a run.

The schedule is a trapezoid: linear warmup, constant, linear cooldown to zero at the last step (Zhai et al. 2022,
"Scaling Vision Transformers"; Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
Durations"). In runs of few steps, a cosine spends too many of them far below the peak: see benchmarks/RECORD.md.
"""

import math
from typing import TYPE_CHECKING

from selfchatbot.parameters import TrainingParameters

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LORA_RATE, FULL_RATE = 2e-3, 2e-4
"""Measured best for SmolLM2-135M, see benchmarks/RECORD.md: LoRA needs ten times the rate of full fine-tuning."""
REFERENCE_WIDTH = 576
"""Hidden size of SmolLM2-135M."""
REFERENCE_STEPS = 60
"""Longest run for which those rates were measured best."""


def peak_rate(parameters: TrainingParameters, config: "PretrainedConfig", steps: int) -> float:
    """``learning_rate`` of ``parameters`` or, if that is null, a default for method, model width and run length.

    The default falls with the hidden size to the power of -0.781 (Schulman et al. 2025, "LoRA Without Regret", fitted
    on Llama models) and with the number of steps to the power of -0.32 (Bjorck et al. 2024, "Scaling Optimal LR Across
    Token Horizons", which agrees with our measurements). It is not raised for narrower models or shorter runs than
    those measured.
    """
    if parameters.learning_rate is not None:
        return parameters.learning_rate
    width: int = getattr(config.get_text_config(), "hidden_size", REFERENCE_WIDTH)
    rate = FULL_RATE if parameters.type_fine_tune == "fine_tune" else LORA_RATE
    return rate * math.pow(min(1.0, REFERENCE_WIDTH / width), 0.781) * math.pow(min(1.0, REFERENCE_STEPS / steps), 0.32)


def rate_factor(step: int, steps: int, warmup: float, cooldown: float) -> float:
    """The fraction of the peak rate at update number ``step``, counted from 0, of ``steps`` updates.

    ``warmup`` and ``cooldown`` are fractions of the run. No update has a rate of 0: the first has one step's rise, the
    last is one step above the end of the fall.
    """
    rise, fall = round(steps * warmup), round(steps * cooldown)
    return max(0.0, min(1.0, (step + 1) / max(rise, 1), (steps - step) / max(fall, 1)))
