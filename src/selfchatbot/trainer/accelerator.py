"""accelerate's part of a training: DDP or FSDP over several processes, and experiment trackers.

Autocast and gradient scaling are torch's own: the precision of an `Accelerator` belongs to the whole process, and a
second training in the same process could not choose another one.
"""

import json
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    ProjectConfiguration,
)

from selfchatbot import distributed
from selfchatbot.errors import UsageError
from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters

PROJECT = "selfchatbot"
"""The name of the project in trackers."""


def make_accelerator(parameters: TrainingParameters, machine: Machine, output: Path) -> Accelerator:
    """The accelerator of one training, with its trackers started; local ones write into ``output``/runs.

    Raises UsageError for version 1 of FSDP.
    """
    accelerator = Accelerator(
        device_placement=False,
        # FSDP gathers weights in this precision.
        mixed_precision="bf16" if distributed.sharded() and machine.dtype == torch.bfloat16 else "no",
        # The loop accumulates gradients itself, whatever accelerate's configuration says.
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        log_with=list(parameters.report_to) or None,
        project_config=ProjectConfiguration(str(output), str(output / "runs" / time.strftime("%Y-%m-%d_%H-%M-%S"))),
        # Buffers are constants, and exchanging them would break the retry after an out-of-memory error.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=True)],
    )
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise UsageError("FSDP: set fsdp_version to 2 in accelerate's configuration")
    values = parameters.model_dump(mode="json")
    accelerator.init_trackers(
        PROJECT,
        {key: value if isinstance(value, (int, float, str)) else json.dumps(value) for key, value in values.items()},
    )
    return accelerator
