"""What transformers' trainer is told."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters


def training_arguments(
    parameters: TrainingParameters, machine: Machine, folder: Path, resumed: bool
) -> TrainingArguments:
    """``parameters`` in transformers' words; ``folder`` is where its integrations may write."""
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=parameters.epochs,
        learning_rate=parameters.learning_rate or 0.0,
        lr_scheduler_type="cosine",
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
