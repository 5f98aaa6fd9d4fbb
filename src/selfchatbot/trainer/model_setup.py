"""The model of a training, for each of the three methods: full, LoRA, QLoRA; and its optimizer."""

import logging
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch

from selfchatbot import distributed
from selfchatbot.errors import UsageError
from selfchatbot.model_families import READ_WEIGHTS, expert_stacks
from selfchatbot.models import Machine, load_config, load_model
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.adapter_targets import adapter_targets, without_adapters

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, PreTrainedModel

logger = logging.getLogger(__name__)


def trainable_model(parameters: TrainingParameters, machine: Machine) -> "PreTrainedModel":
    """The model of ``parameters``, prepared for its method, on the device.

    Full fine-tuning keeps float32 weights (16 bits would round small updates away) and computes in the machine's
    format. Adapters are trained in float32 on a frozen base model, which is in the machine's format or, for QLoRA, in
    4-bit NormalFloat with double quantisation (Dettmers et al. 2023).
    """
    # A model that is to be sharded may be too large for a single device.
    device = "cpu" if distributed.sharded() else machine.device
    if parameters.type_fine_tune == "fine_tune":
        model = load_model(parameters.model, torch.float32).to(device)
    elif parameters.type_fine_tune == "lora":
        model = with_adapters(load_model(parameters.model, machine.dtype).to(device), parameters)
    else:
        model = with_adapters(_load_in_4_bit(parameters.model, machine), parameters)
    if parameters.gradient_checkpointing:
        checkpoint_gradients(model)
    return model


def with_adapters(model: "PreTrainedModel", parameters: TrainingParameters) -> "PreTrainedModel":
    """``model`` with LoRA adapters on its `adapter_targets` (Hu et al. 2021)."""
    from peft import get_peft_model

    from selfchatbot.trainer.adapted_linear import use_adapted_linear

    if left := without_adapters(model):
        logger.info("%s", left)
    adapted: Any = get_peft_model(model, adapters(parameters, adapter_targets(model)))
    if not distributed.sharded():  # never tried on weights that FSDP has sharded
        use_adapted_linear(adapted)
    return adapted


def adapters(parameters: TrainingParameters, targets: Collection[str]) -> "LoraConfig":
    """peft's configuration of the adapters on the layers that are named like ``targets``.

    Options: scaled by the square root of the rank (Kalajdzievski 2023, "rsLoRA"); weights decomposed into magnitude
    and direction (Liu et al. 2024, "DoRA").
    """
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        target_modules=list(targets),
        r=parameters.lora_r,
        lora_alpha=parameters.lora_alpha,
        lora_dropout=parameters.lora_dropout,
        use_rslora=parameters.rslora,
        use_dora=parameters.dora,
    )


def checkpoint_gradients(model: "PreTrainedModel") -> None:
    """Recompute activations in the backward pass instead of keeping them."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def adamw(model: torch.nn.Module, parameters: TrainingParameters, machine: Machine) -> torch.optim.AdamW:
    """AdamW for all trainable parameters (Loshchilov & Hutter 2019); vectors, which are norms and biases, don't decay.

    Its learning rate is for the caller to set before each step.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": parameters.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, fused=machine.device != "mps")


def add_embedding_noise(model: "PreTrainedModel", alpha: float) -> None:
    """Add noise to the input embeddings in training: uniform, within ``alpha`` / sqrt(tokens x hidden size).

    Jain et al. 2023, "NEFTune".
    """

    def noisy(module: torch.nn.Module, _: Any, embeddings: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return embeddings
        bound = alpha / math.sqrt(embeddings.shape[-2] * embeddings.shape[-1])
        return embeddings + torch.empty_like(embeddings).uniform_(-bound, bound)

    model.get_input_embeddings().register_forward_hook(noisy)


def four_bit(dtype: torch.dtype) -> "BitsAndBytesConfig":
    """4-bit NormalFloat with double quantisation, computing in ``dtype``."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        # On a CPU without bfloat16 instructions, computing in bfloat16 was measured 16 times slower than in float32.
        bnb_4bit_compute_dtype=dtype,
    )


def _load_in_4_bit(name: str, machine: Machine) -> "PreTrainedModel":
    if machine.device == "mps":
        raise UsageError('type_fine_tune "qlora": bitsandbytes does not support this GPU: use "lora"')
    try:
        import bitsandbytes  # noqa: F401
    except Exception as error:  # its native library can fail to load in many ways
        raise UsageError('type_fine_tune "qlora": bitsandbytes does not work on this machine: use "lora"') from error
    device = torch.cuda.current_device() if machine.device == "cuda" else machine.device  # each process has its own
    quantization = four_bit(machine.dtype)
    if kept := READ_WEIGHTS.get(load_config(name).model_type):
        quantization.llm_int8_skip_modules = ["lm_head", *kept]
    model = load_model(name, machine.dtype, quantization_config=quantization, device_map={"": device})
    for module in model.modules():
        # On CPUs with bfloat16 instructions, bitsandbytes would repack the weights for inference at the first
        # validation: rounded, and not possible for every shape.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    experts = {id(weight) for weight in expert_stacks(model).values()}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if machine.device == "cpu" and parameter.is_floating_point():
            parameter.data = parameter.data.clone()  # otherwise it keeps the model's whole file in memory
        # Norms and embeddings become exact, as in peft's `prepare_model_for_kbit_training`; experts would be too large.
        if parameter.dtype in (torch.float16, torch.bfloat16) and id(parameter) not in experts:
            parameter.data = parameter.data.float()
    return model
