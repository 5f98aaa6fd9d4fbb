"""The processes of one run where `torchrun` or `accelerate launch` began several: the first writes and speaks for all.

How they share the work (DDP, FSDP, DeepSpeed) is accelerate's to know. Nothing here does anything in a single process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from selfchatbot.errors import SelfChatBotError

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
    """Whether accelerate was told to spread the weights over the processes: none has to hold them all."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true" for name in ("FSDP", "DEEPSPEED"))


@contextmanager
def together(cpu: bool) -> Iterator[None]:
    """With the others, each on its own device: ``cuda`` is the GPU of this process.

    Raises SelfChatBotError when another one has ended before its time.
    """
    if world_size() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    PartialState(cpu=cpu)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):  # gloo's are plain RuntimeErrors
            raise SelfChatBotError(
                "another process of this run has ended: the same command goes on where it was saved last"
            ) from error
        raise
    torch.distributed.destroy_process_group()


def wait() -> None:
    """Until all have come here."""
    if world_size() > 1:
        import torch

        torch.distributed.barrier()


def any_of(*flags: bool) -> list[bool]:
    """Each flag as it is in at least one process."""
    return [bool(value) for value in _reduced([float(flag) for flag in flags], "SUM")]


def total(value: float) -> float:
    """The sum over all processes."""
    return _reduced([value], "SUM")[0]


def least(value: int) -> int:
    """The smallest of all processes."""
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
    """This tensor of every process, one row for each."""
    if world_size() == 1:
        return tensor[None]
    from accelerate import PartialState
    from accelerate.utils import gather

    rows: torch.Tensor = gather(tensor[None].to(PartialState().device)).cpu()
    return rows


def speaks() -> bool:
    """Whether this process is the first to ask that: when one fails all do, and only the first knows why."""
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
        return True  # twice is better than never
