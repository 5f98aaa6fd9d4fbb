"""Memory of this process: what is left for it, and what libraries may keep of it."""

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path

import psutil

ONEDNN_PROGRAMS = 128
"""Compiled programs that oneDNN keeps, of 1.5 MiB each: those of three shapes of a training window. By itself it keeps
1024. With fewer than one window needs, each layer would compile them again."""


def bound_caches() -> None:
    """Let oneDNN keep few compiled programs, unless the user says how many. Call it before the first model computes."""
    for cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # of oneDNN, and of torch above it
        os.environ.setdefault(cache, str(ONEDNN_PROGRAMS))


def give_back_memory() -> None:
    """Return to the system what a model took that is no longer used; glibc keeps it for the next one."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # other systems
        ctypes.CDLL(None).malloc_trim(0)


def free(device: str) -> int:
    """Bytes that this process can still get on the device, within a container's limit and ``ulimit -v``."""
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return max(0, min([int(psutil.virtual_memory().available), *left_in_container(), *left_in_process()]))


def left_in_process() -> list[int]:
    """Bytes of address space left within ``ulimit -v``; empty if it is unlimited."""
    try:
        import resource
    except ImportError:  # Windows
        return []
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return [] if limit == resource.RLIM_INFINITY else [limit - int(psutil.Process().memory_info().vms)]


def left_in_container(groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Bytes that the control groups of this process, of version 1 or 2, still allow (man 7 cgroups).

    Cached file pages that can be dropped don't count as used.
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
    except (OSError, ValueError, KeyError):  # no such group, or "max", which means no limit
        return []
