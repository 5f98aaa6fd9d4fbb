"""What transformers' trainer is told."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import TrainingArguments

from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LORA_RATE, FULL_RATE = 2e-3, 2e-4
"""Best for SmolLM2-135M, see docs/training.md: LoRA wants ten times the rate of full fine-tuning."""
WIDTH = 576
"""Hidden size of that model."""
STEPS = 60
"""Of runs of at most so many steps."""


def learning_rate(parameters: TrainingParameters, config: "PretrainedConfig", steps: int) -> float:
    """That of ``parameters``, or the one for the method, the width of the model and the number of steps.

    A wider model wants a lower rate, by its hidden size to the power of -0.781 (Schulman et al. 2025, "LoRA Without
    Regret", their fit for Llama models), a longer run by its length to the power of -0.32 (Bjorck et al. 2024, "Scaling
    Optimal LR Across Token Horizons"; it fits what was measured here). Narrower models and shorter runs than were
    measured are not trained faster.
    """
    if parameters.learning_rate is not None:
        return parameters.learning_rate
    width: int = getattr(config.get_text_config(), "hidden_size", WIDTH)
    rate = FULL_RATE if parameters.type_fine_tune == "fine_tune" else LORA_RATE
    return rate * math.pow(min(1.0, WIDTH / width), 0.781) * math.pow(min(1.0, STEPS / steps), 0.32)


def training_arguments(
    parameters: TrainingParameters, machine: Machine, folder: Path, resumed: bool
) -> TrainingArguments:
    """``parameters`` in transformers' words, with nothing left open; its integrations may write into ``folder``."""
    assert parameters.learning_rate is not None
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=parameters.epochs,
        learning_rate=parameters.learning_rate,
        weight_decay=parameters.weight_decay,
        max_grad_norm=parameters.max_grad_norm,
        neftune_noise_alpha=parameters.neftune_alpha,
        optim="adamw_torch" if machine.device == "mps" else "adamw_torch_fused",
        bf16=machine.dtype == torch.bfloat16,
        fp16=machine.dtype == torch.float16,
        use_cpu=machine.device == "cpu",
        ddp_broadcast_buffers=False,  # they are constants, and an exchange could not be tried again
        seed=parameters.seed,
        eval_strategy="steps",
        eval_on_start=not resumed,
        logging_strategy="steps",
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=list(parameters.report_to),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=machine.device == "cuda",
    )
