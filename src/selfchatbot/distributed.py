"""The processes of one run, if `torchrun` or `accelerate launch` started several: the first writes and speaks for all.

accelerate knows how they share the work (DDP or FSDP). In a single process, nothing here does anything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from selfchatbot.errors import SelfChatBotError, UsageError

if TYPE_CHECKING:
    import torch


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this is the first process, which writes and speaks for all."""
    return rank() == 0


def world_size() -> int:
    """The number of processes, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def sharded() -> bool:
    """Whether accelerate is configured for FSDP, which shards the weights over the processes."""
    return _configured_for("FSDP")


def _configured_for(name: str) -> bool:
    return os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true"


@contextmanager
def together(cpu: bool) -> Iterator[None]:
    """Join the other processes, each on its own device: "cuda" is the GPU of this process.

    Raises UsageError if accelerate is configured for DeepSpeed, and SelfChatBotError when another process has died.
    """
    if _configured_for("DEEPSPEED"):
        raise UsageError("DeepSpeed is not supported: choose MULTI_GPU or FSDP in accelerate's configuration")
    if world_size() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    PartialState(cpu=cpu)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):  # gloo raises plain RuntimeErrors
            raise SelfChatBotError(
                "another process of this run has ended: the same command resumes from the last checkpoint"
            ) from error
        raise
    torch.distributed.destroy_process_group()


def wait() -> None:
    """Wait until all processes have come here."""
    if world_size() > 1:
        import torch

        torch.distributed.barrier()


def any_of(*flags: bool) -> list[bool]:
    """For each flag, whether it is set in any process."""
    return [bool(value) for value in _reduced([float(flag) for flag in flags], "SUM")]


def total(value: float) -> float:
    """The sum over all processes."""
    return totals([value])[0]


def totals(values: list[float]) -> list[float]:
    """Each value, summed over all processes."""
    return _reduced(values, "SUM")


def least(value: int) -> int:
    """The smallest value of all processes."""
    return int(_reduced([value], "MIN")[0])


def _reduced(values: list[float], how: str) -> list[float]:
    if world_size() == 1:
        return values
    import torch
    from accelerate import PartialState

    tensor = torch.tensor(values, dtype=torch.float64, device=PartialState().device)
    torch.distributed.all_reduce(tensor, getattr(torch.distributed.ReduceOp, how))
    reduced: list[float] = tensor.tolist()
    return reduced


def gather(tensor: "torch.Tensor") -> "torch.Tensor":
    """The tensors of all processes, as rows."""
    if world_size() == 1:
        return tensor[None]
    from accelerate import PartialState
    from accelerate.utils import gather

    rows: torch.Tensor = gather(tensor[None].to(PartialState().device)).cpu()
    return rows


def speaks() -> bool:
    """Whether this process is the first to ask: when one process fails all do, and only the first knows the reason."""
    if world_size() == 1:
        return True
    import torch

    try:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = torch.distributed.TCPStore(  # type: ignore[attr-defined]
            address, port, is_master=False, timeout=timedelta(seconds=5)
        )
        return bool(store.add(f"selfchatbot/failed/{os.environ.get('TORCHELASTIC_RESTART_COUNT')}", 1) == 1)
    except (LookupError, ValueError, RuntimeError):
        return True  # an error shown twice is better than none
