"""How much memory training needs, known before it begins, and what is chosen from that.

The peak of a step, in bytes, of a decoder of L layers (h hidden, f intermediate, q and k = heads and key-value heads
x head size numbers wide) with N parameters, T of them trained, on a piece of P tokens, S of them labelled, with numbers
of b bytes:

    process      what it has before the model is there
    weights      4N for full fine-tuning (and a copy in 16 bits where it computes in these), bN for the base model of
                 adapters; in 4-bit NormalFloat 0.516 bytes for those of linear layers and 4 for the others (Dettmers et
                 al. 2023, "QLoRA", section 3: 4 bits + 8 / 64 + 32 / (64 x 256)); 4T for adapters
    gradients    4T, and once more those of the embedding where it is the output layer as well and trained
    moments      8T: AdamW's two (Kingma & Ba 2015)
    activations  P L b times the numbers that autograd keeps of each token in a layer, counted operation by operation as
                 in Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", section 4,
                 but for a Llama layer (GPT-2's is near it) whose attention keeps no scores; within 1 % of what hooks on
                 saved tensors count:
                 full fine-tuning   6h + 2q + 2k + 4f
                 adapters           2h + 2q + 2k + 3f, and what stands before each adapter of rank r: with dropout its
                                    input and its mask, 2(5h + q + f) + 7r; without, 2h + q + f + 7r
                 with checkpointing h, and the above for one layer
                 QLoRA keeps them in float32
    output       12 S V: logits, their softmax and its gradient, in float32, for a vocabulary of V

On a CPU, where peaks were measured (benchmarks/memory.py), activations and output take `FRAGMENTED` times that, because
what the allocator gets back it does not give away, and the libraries grow by `LIBRARIES`. There, a model that becomes
4-bit is in memory as it was and as it will be at the same time, which may be more than a step needs. Not counted: what
DoRA computes besides, experts of which each token sees a few, and attention that keeps its scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch

from selfchatbot import distributed
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.data import TokenBatches

if TYPE_CHECKING:
    from transformers import PretrainedConfig

GIB = 2**30
SHARE = 0.9
"""Of the memory that is there, so much is planned for: the estimate is not exact."""
CPU_TOKENS = 1024
"""Larger pieces make no CPU faster; half of it is a sixth slower."""
FRAGMENTED = 1.2
LIBRARIES = GIB // 5
FOUR_BIT = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a parameter in 4-bit NormalFloat with double quantisation."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is computed at once."""

    tokens: int
    """Padded."""
    labels: int


@dataclass(frozen=True, slots=True)
class Choice:
    """How a step is computed: another way, the same gradient."""

    micro_tokens: int
    gradient_checkpointing: bool
    need: int
    """Bytes, at the peak."""
    available: int
    """Bytes on the device for this process, with what it has already."""

    def __str__(self) -> str:
        return f"needs about {self.need / GIB:.1f} of {self.available / GIB:.1f} GiB"


class Shape:
    """The sizes of a model, from its configuration: no weight is loaded."""

    def __init__(self, config: "PretrainedConfig") -> None:
        from transformers import AutoModelForCausalLM
        from transformers.pytorch_utils import Conv1D

        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        head = model.get_output_embeddings()
        linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear | Conv1D) and m is not head]
        embedding = model.get_input_embeddings().weight
        self.tied_embedding: int = embedding.numel() if head.weight is embedding else 0
        """Parameters of an embedding that is the output layer as well."""
        self.parameters: int = sum(parameter.numel() for parameter in model.parameters())
        self.linear: int = sum(module.weight.numel() for module in linear)
        self.rank_1: int = sum(sum(module.weight.shape) for module in linear)
        """Parameters of adapters of rank 1 on all linear layers but the output layer."""
        text: Any = config.get_text_config()
        self.layers: int = text.num_hidden_layers
        self.vocabulary: int = text.vocab_size
        self.hidden: int = text.hidden_size
        heads: int = text.num_attention_heads
        head_size: int = getattr(text, "head_dim", None) or self.hidden // heads
        self.queries = heads * head_size
        self.keys: int = (getattr(text, "num_key_value_heads", None) or heads) * head_size
        inner: int | None = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None)
        self.intermediate = inner or 4 * self.hidden


def trained(parameters: TrainingParameters, shape: Shape) -> int:
    """How many parameters are trained."""
    return shape.parameters if parameters.type_fine_tune == "fine_tune" else parameters.lora_r * shape.rank_1


def need(
    parameters: TrainingParameters,
    shape: Shape,
    machine: Machine,
    piece: Piece,
    gradient_checkpointing: bool,
    shards: int = 1,
) -> int:
    """Bytes that training takes on the device at its peak, but for what the process has already.

    Of ``shards`` processes that share weights, gradients and moments, each holds its part, and two layers as a whole
    (Rajbhandari et al. 2020, "ZeRO", section 5: the one that is computed, and the next, which is on its way).
    """
    size = machine.dtype.itemsize
    own = trained(parameters, shape)
    gradients = 4 * own
    if parameters.type_fine_tune == "fine_tune":
        weights = 4 * shape.parameters + (size * shape.parameters if size < 4 else 0)
        gradients += 4 * shape.tied_embedding
    elif parameters.type_fine_tune == "lora":
        weights = size * shape.parameters + 4 * own
    else:
        weights = round(FOUR_BIT * shape.linear) + 4 * (shape.parameters - shape.linear) + 4 * own
    kept = 4 if parameters.type_fine_tune == "qlora" else size  # of its hidden states, which peft makes float32
    layer = piece.tokens * kept * kept_numbers(parameters, shape)
    activations = layer * shape.layers
    if gradient_checkpointing:
        activations = layer + piece.tokens * kept * shape.hidden * shape.layers
    activations += 12 * piece.labels * shape.vocabulary
    if machine.device == "cpu":
        activations = round(FRAGMENTED * activations) + LIBRARIES
    shared = weights + gradients + 8 * own
    if shards > 1:
        shared = shared // shards + 2 * weights // shape.layers
    if parameters.type_fine_tune == "qlora" and machine.device == "cpu":
        return max(shared + activations, weights + size * shape.parameters + LIBRARIES)
    return shared + activations


def kept_numbers(parameters: TrainingParameters, shape: Shape) -> int:
    """Numbers that a layer keeps of each token for its backward pass."""
    h, q, k, f = shape.hidden, shape.queries, shape.keys, shape.intermediate
    if parameters.type_fine_tune == "fine_tune":
        return 6 * h + 2 * q + 2 * k + 4 * f
    before_adapters = 2 * (5 * h + q + f) if parameters.lora_dropout else 2 * h + q + f
    return 2 * h + 2 * q + 2 * k + 3 * f + before_adapters + 7 * parameters.lora_r


def choose(
    parameters: TrainingParameters,
    config: "PretrainedConfig",
    machine: Machine,
    windows: tuple[list[int], list[int]],
    max_length: int,
) -> Choice:
    """The fastest way to compute a step that fits into memory, or else the one that needs least.

    ``windows`` are the tokens and trained tokens of each. Steps stay what they are; pieces become smaller first, then
    activations are computed again, unless the parameters say whether. Several processes choose the same.
    """
    own = _choice(parameters, config, machine, windows, max_length)
    (checkpointing,) = distributed.any_of(own.gradient_checkpointing)
    return replace(own, micro_tokens=distributed.least(own.micro_tokens), gradient_checkpointing=checkpointing)


def _choice(
    parameters: TrainingParameters,
    config: "PretrainedConfig",
    machine: Machine,
    windows: tuple[list[int], list[int]],
    max_length: int,
) -> Choice:
    shape = Shape(config)
    shards = distributed.world_size() if distributed.sharded() else 1
    process = psutil.Process().memory_info().rss if machine.device == "cpu" else 0
    available = free(machine.device) + process
    asked = parameters.gradient_checkpointing
    step_tokens = parameters.batch_size * max_length
    for checkpointing in (False, True) if asked is None else (asked,):
        largest = min(step_tokens, max(max_length, CPU_TOKENS)) if machine.device == "cpu" else step_tokens
        for tokens in _sizes(largest, max(windows[0])):
            piece = _largest(windows, tokens)
            bytes_needed = process + need(parameters, shape, machine, piece, checkpointing, shards)
            choice = Choice(tokens, checkpointing, bytes_needed, available)
            if bytes_needed <= SHARE * available:
                return choice
    return choice


def _sizes(first: int, last: int) -> Iterator[int]:
    """``first`` and its halves down to ``last``."""
    while first > last:
        yield first
        first //= 2
    yield last


def _largest(windows: tuple[list[int], list[int]], tokens: int) -> Piece:
    lengths, labels = windows
    batches = list(TokenBatches(lengths, tokens, None))
    return Piece(
        max(lengths[batch[0]] * len(batch) for batch in batches),
        max(sum(labels[index] for index in batch) for batch in batches),
    )


def free(device: str) -> int:
    """Bytes that this process can still get on the device; a container's limit and ``ulimit -v`` count."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return max(0, min([int(psutil.virtual_memory().available), *left_in_container(), *left_in_process()]))


def left_in_process() -> list[int]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return [] if limit == resource.RLIM_INFINITY else [limit - int(psutil.Process().memory_info().vms)]


def left_in_container(groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What the control groups of this process, of version 1 or 2, still allow (man 7 cgroups).

    Files that were read and can be forgotten don't count as used.
    """
    try:
        lines = groups.read_text(encoding="utf-8").strip().split("\n")
    except OSError:  # not Linux
        return []
    left = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, names = mounted, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top, names = mounted / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.lstrip("/")
        while group.is_relative_to(top):
            left += _of_group(group, *names)
            group = group.parent
    return left


def _of_group(group: Path, limit: str, used: str, reclaimable: str) -> list[int]:
    try:
        statistics = dict(line.split(" ") for line in (group / "memory.stat").read_text().strip().split("\n"))
        taken = int((group / used).read_text()) - int(statistics[reclaimable])
        return [int((group / limit).read_text()) - taken]
    except (OSError, ValueError, KeyError):  # no such group, or "max": no limit
        return []
