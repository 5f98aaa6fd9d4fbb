"""The three ways to fine-tune: everything, adapters, adapters on a 4-bit model."""

from typing import TYPE_CHECKING, Any

import torch

from selfchatbot import distributed
from selfchatbot.errors import UsageError
from selfchatbot.models import Machine, load_model
from selfchatbot.parameters import TrainingParameters

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, PreTrainedModel


def trainable_model(parameters: TrainingParameters, machine: Machine) -> "PreTrainedModel":
    """The model of ``parameters``, prepared for its method, on the device.

    Full fine-tuning keeps float32 weights (16 bits would swallow small updates) and computes in the machine's format;
    adapters train in float32 above a frozen base model in the machine's format, or in 4-bit NormalFloat with double
    quantisation (Dettmers et al. 2023, "QLoRA").
    """
    # What is spread over several devices must not have to fit into one before.
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
    """LoRA adapters on all linear layers but the output layer (Hu et al. 2021; Schulman et al. 2025).

    If the parameters say so, scaled by the root of the rank (Kalajdzievski 2023, "rsLoRA"), or with weights taken apart
    into magnitude and direction (Liu et al. 2024, "DoRA").
    """
    from peft import get_peft_model

    from selfchatbot.trainer.adapted_linear import AdaptedLinear

    adapted: Any = get_peft_model(model, adapters(parameters))
    if not distributed.sharded():  # DeepSpeed gathers the weights of a layer when that very layer is called
        AdaptedLinear.replace(adapted)
    return adapted


def adapters(parameters: TrainingParameters) -> "LoraConfig":
    """The adapters of ``parameters``, as peft takes them."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        target_modules="all-linear",
        r=parameters.lora_r,
        lora_alpha=parameters.lora_alpha,
        lora_dropout=parameters.lora_dropout,
        use_rslora=parameters.rslora,
        use_dora=parameters.dora,
    )


def checkpoint_gradients(model: "PreTrainedModel") -> None:
    """Compute activations again in the backward pass instead of keeping them."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def four_bit(dtype: torch.dtype) -> "BitsAndBytesConfig":
    """4-bit NormalFloat with double quantisation that computes in ``dtype``."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        # On a CPU without bfloat16 instructions, computing in bfloat16 was measured 16 times slower than in float32.
        bnb_4bit_compute_dtype=dtype,
    )


def _load_in_4_bit(name: str, machine: Machine) -> "PreTrainedModel":
    from peft import prepare_model_for_kbit_training

    if machine.device == "mps":
        raise UsageError('type_fine_tune "qlora": bitsandbytes has no 4-bit layers for this GPU: use "lora"')
    try:
        import bitsandbytes  # noqa: F401
    except Exception as error:  # its native library may be missing in many ways
        raise UsageError('type_fine_tune "qlora": bitsandbytes does not work on this machine: use "lora"') from error
    device = torch.cuda.current_device() if machine.device == "cuda" else machine.device  # each process has its own
    model = load_model(name, machine.dtype, quantization_config=four_bit(machine.dtype), device_map={"": device})
    for module in model.modules():
        # On CPUs with bfloat16 instructions, bitsandbytes would repack the weights in the first validation, for
        # inference only: rounded, and not for every shape.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    for parameter in model.parameters():
        if machine.device == "cpu" and parameter.is_floating_point():
            parameter.data = parameter.data.clone()  # else it would keep the whole file of the model in memory
    prepared: Any = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return prepared
