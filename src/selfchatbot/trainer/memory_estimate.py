"""The memory that training needs, estimated before it begins, and the micro-batches chosen from that.

The peak of a step, in bytes, for a decoder with L layers (hidden size h, intermediate size f, q and k = heads and
key-value heads times head size) and N parameters, T of them trained, on a micro-batch of P tokens, S of them labelled,
computed in a format of b bytes:

    process      what the process takes before the model is loaded
    weights      4N for full fine-tuning (plus a 16-bit copy when it computes in 16 bits), bN for the base model of
                 adapters; in 4-bit NormalFloat 0.516 bytes for weights of linear layers and 4 for others (Dettmers et
                 al. 2023, "QLoRA", section 3: 4 bits + 8 / 64 + 32 / (64 x 256)); 4T for adapters
    gradients    4T, and once more the embedding's if it is also the output layer and is trained
    moments      8T: AdamW's two (Kingma & Ba 2015)
    activations  P b times the numbers that autograd keeps per token, summed over layers, counted operation by operation
                 as in Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models",
                 section 4, but for a Llama layer (GPT-2's is close to it) whose attention keeps no scores; within 1 %
                 of what hooks on saved tensors count:
                 full fine-tuning   6h + 2q + 2k + 4f
                 adapters           2h + 2q + 2k + 3f, plus the inputs of the adapters of rank r: with dropout, input
                                    and mask, 2(5h + q + f) + 7r; without, 2h + q + f + 7r
                 with checkpointing h for each layer, plus the above for the largest one
                 QLoRA keeps them in float32. `layer_sizes` says how other layers are counted.
    output       12 S V: logits, their softmax and its gradient, in float32, for a vocabulary of V

After the training, `selfChatBot_train` chooses the sampling with a model of its own, which may take more than a step:

    weights      4N, loaded and merged in float32
    caches       2 L k b for each of `CHOOSING_TOKENS`, the keys and values of the contexts and of two copies

On a CPU, where peaks were measured (benchmarks/memory.py), activations and output take `CPU_FRAGMENTATION` times as
much, because the allocator does not return what it frees, and the libraries grow by `CPU_LIBRARY_BYTES`. There, a model
being converted to 4 bits is in memory in both forms for a moment, which may be more than a step needs. Not counted:
DoRA's extra computation, what state-space layers keep of their scan, and attention that keeps its scores.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError
from selfchatbot.memory import free
from selfchatbot.model_families import expert_stacks, linear_layers, skeleton
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.adapter_targets import sizes, target_sizes
from selfchatbot.trainer.data import TokenBatches, rounded_up
from selfchatbot.trainer.layer_sizes import LayerSizes, layer_sizes
from selfchatbot.trainer.loss import length_multiple

if TYPE_CHECKING:
    from transformers import PretrainedConfig

logger = logging.getLogger(__name__)

GIB = 2**30
USABLE_SHARE = 0.9
"""The fraction of available memory that is planned for: the estimate is not exact."""
MAX_CPU_TOKENS = 1024
"""Micro-batches of more tokens are no faster on any CPU; half as many are a sixth slower."""
CPU_FRAGMENTATION = 1.2
CPU_LIBRARY_BYTES = GIB // 5
CHOOSING_TOKENS = 22_464
"""Tokens in the caches of `selfchatbot.player.tune_sampling`: 64 contexts of 96 tokens with room for 64, as many
prompts without the conversation, of some 10 tokens, and two copies of a quarter of both."""
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a parameter in 4-bit NormalFloat with double quantisation."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The size of what is computed at once."""

    tokens: int
    """Including padding."""
    labels: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How a step is computed; the gradient is the same with any plan."""

    micro_tokens: int
    """Most tokens in a micro-batch, including padding."""
    gradient_checkpointing: bool
    needed: int | None
    """Bytes at the peak of the whole command; None: not known."""
    available: int
    """Bytes on the device for this process, including those it has already."""

    @property
    def is_short(self) -> bool:
        """Whether more is needed than available."""
        return self.needed is not None and self.needed > self.available

    def __str__(self) -> str:
        if self.needed is None:
            return "needs an unknown amount: it can't be estimated for this model"
        return f"needs about {self.needed / GIB:.1f} of {self.available / GIB:.1f} GiB"


class ModelShape:
    """The sizes of a model, from its configuration; no weights are loaded.

    Raises SelfChatBotError for a family that is not supported, ValueError for one whose layers are not found.
    """

    def __init__(self, config: "PretrainedConfig") -> None:
        model = skeleton(config)
        text: Any = model.config
        head = model.get_output_embeddings()
        embedding = model.get_input_embeddings().weight
        self.tied_embedding: int = embedding.numel() if head.weight is embedding else 0
        """Parameters of the embedding if it is also the output layer, else 0."""
        self.parameters: int = sum(parameter.numel() for parameter in model.parameters())
        self.linear: int = sum(math.prod(sizes(module)) for module in linear_layers(model).values())
        self.experts: int = sum(weight.numel() for weight in expert_stacks(model).values())
        self.rank_1: int = sum(map(sum, target_sizes(model).values()))
        """Parameters of adapters of rank 1."""
        self.vocabulary: int = embedding.shape[0]
        self.hidden: int = text.hidden_size
        self.blocks: list[LayerSizes] = layer_sizes(model)
        keys = sum(sizes(module)[1] for name, module in linear_layers(model).items() if name.endswith("k_proj"))
        self.keys: int = keys or self.hidden * len(self.blocks)
        """Numbers in the keys of one token, in all layers; at most, if the layers have other names."""

    @property
    def layers(self) -> int:
        """The number of layers."""
        return len(self.blocks)


def trained_count(parameters: TrainingParameters, shape: ModelShape) -> int:
    """The number of trained parameters."""
    return shape.parameters if parameters.type_fine_tune == "fine_tune" else parameters.lora_r * shape.rank_1


def bytes_needed(
    parameters: TrainingParameters,
    shape: ModelShape,
    machine: Machine,
    micro_batch: MicroBatch,
    gradient_checkpointing: bool,
    shards: int = 1,
) -> int:
    """Bytes that training takes on the device at its peak, in addition to what the process has already.

    When ``shards`` processes share weights, gradients and moments, each holds its part and two whole layers: the one
    being computed and the next, which is being fetched (Rajbhandari et al. 2020, "ZeRO", section 5).
    """
    size = machine.dtype.itemsize
    trained = trained_count(parameters, shape)
    gradients = 4 * trained
    if parameters.type_fine_tune == "fine_tune":
        weights = 4 * shape.parameters + (size * shape.parameters if size < 4 else 0)
        gradients += 4 * shape.tied_embedding
    elif parameters.type_fine_tune == "lora":
        weights = size * shape.parameters + 4 * trained
    else:
        exact = shape.parameters - shape.linear - shape.experts
        weights = round(NF4_BYTES * shape.linear) + size * shape.experts + 4 * exact + 4 * trained
    kept_size = 4 if parameters.type_fine_tune == "qlora" else size  # peft makes its hidden states float32
    kept = [kept_numbers(parameters, shape.hidden, block) for block in shape.blocks]
    numbers = max(kept) + shape.hidden * shape.layers if gradient_checkpointing else sum(kept)
    activations = micro_batch.tokens * kept_size * numbers
    activations += 12 * micro_batch.labels * shape.vocabulary
    if machine.device == "cpu":
        activations = round(CPU_FRAGMENTATION * activations) + CPU_LIBRARY_BYTES
    shared = weights + gradients + 8 * trained
    if shards > 1:
        shared = shared // shards + 2 * weights // shape.layers
    if parameters.type_fine_tune == "qlora" and machine.device == "cpu":
        return max(shared + activations, weights + size * shape.parameters + CPU_LIBRARY_BYTES)
    return shared + activations


def bytes_to_choose_sampling(shape: ModelShape, machine: Machine) -> int:
    """Bytes that choosing the sampling takes on the device, after the training has given back its own."""
    caches = 2 * shape.keys * machine.dtype.itemsize * CHOOSING_TOKENS
    if machine.device == "cpu":
        return 4 * shape.parameters + round(CPU_FRAGMENTATION * caches) + CPU_LIBRARY_BYTES
    return machine.dtype.itemsize * shape.parameters + caches


def kept_numbers(parameters: TrainingParameters, hidden: int, block: LayerSizes) -> int:
    """The numbers per token that a layer keeps for its backward pass."""
    if parameters.type_fine_tune == "fine_tune":
        return block.outputs + block.distinct + block.products + 2 * hidden
    before_adapters = 2 * block.inputs if parameters.lora_dropout else block.distinct
    return block.outputs + block.distinct - 2 * hidden + before_adapters + block.adapted * parameters.lora_r


def plan_memory(
    parameters: TrainingParameters,
    config: "PretrainedConfig",
    machine: Machine,
    windows: tuple[list[int], list[int]],
    max_length: int,
) -> MemoryPlan:
    """The fastest way to compute a step that fits into memory, or else the one that needs the least.

    ``windows`` are the tokens and the trained tokens of each window. The steps stay the same: first the micro-batches
    become smaller, then gradients are checkpointed, unless the parameters fix that. All processes get the same plan.

    Where nothing can be estimated, micro-batches have one window, and training makes do with what memory there is.
    Raises SelfChatBotError for a family that is not supported.
    """
    try:
        own = _own_plan(parameters, config, machine, windows, max_length)
    except SelfChatBotError:
        raise
    except Exception as error:  # a configuration of a kind that is not known here must not stop a training
        logger.debug("memory can't be estimated: %s", error)
        own = MemoryPlan(max(max_length, MAX_CPU_TOKENS), bool(parameters.gradient_checkpointing), None, 0)
    (checkpointing,) = distributed.any_of(own.gradient_checkpointing)
    return replace(own, micro_tokens=distributed.least(own.micro_tokens), gradient_checkpointing=checkpointing)


def _own_plan(
    parameters: TrainingParameters,
    config: "PretrainedConfig",
    machine: Machine,
    windows: tuple[list[int], list[int]],
    max_length: int,
) -> MemoryPlan:
    shape = ModelShape(config)
    lengths, labels = windows
    windows = [rounded_up(length, length_multiple(machine), max_length) for length in lengths], labels
    shards = distributed.world_size() if distributed.sharded() else 1
    process = psutil.Process().memory_info().rss if machine.device == "cpu" else 0
    available = free(machine.device) + process
    afterwards = process + bytes_to_choose_sampling(shape, machine) if parameters.choose_sampling else 0
    asked = parameters.gradient_checkpointing
    step_tokens = parameters.batch_size * max_length
    for checkpointing in (False, True) if asked is None else (asked,):
        largest = min(step_tokens, max(max_length, MAX_CPU_TOKENS)) if machine.device == "cpu" else step_tokens
        for tokens in _sizes(largest, max(windows[0])):
            micro_batch = _largest(windows, tokens)
            step = process + bytes_needed(parameters, shape, machine, micro_batch, checkpointing, shards)
            plan = MemoryPlan(tokens, checkpointing, max(step, afterwards), available)
            if step <= USABLE_SHARE * available:
                return plan
    return plan


def _sizes(first: int, last: int) -> Iterator[int]:
    """``first``, halved repeatedly, down to ``last``."""
    while first > last:
        yield first
        first //= 2
    yield last


def _largest(windows: tuple[list[int], list[int]], tokens: int) -> MicroBatch:
    lengths, labels = windows
    batches = list(TokenBatches(lengths, tokens, None))
    return MicroBatch(
        max(lengths[batch[0]] * len(batch) for batch in batches),
        max(sum(labels[index] for index in batch) for batch in batches),
    )
