"""Background threads that don't block exit, and a `map` with two workers for inference on a CPU."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ABANDONED = "abandoned at exit"
"""The beginning of the names of threads that may load or compute for a long time, see `left_running`."""
AHEAD = 4
"""Items that are submitted before the result of the first of them is taken."""


def left_running() -> bool:
    """Whether such a thread is still running.

    At exit, Python would wait for it, or stop it in the middle of native code, which crashes. `os._exit` does neither.
    """
    return any(thread.name.startswith(ABANDONED) for thread in threading.enumerate())


def two_at_once(compute: Callable[[Item], Result], items: Sequence[Item], device: str) -> Iterator[Result]:
    """Like `map`, for torch. If ``device`` is "cpu", two items at once, each with half of torch's threads.

    On two cores, two Python threads with one torch thread each read 557 tokens/s, one with both 431: the second core
    doesn't wait while the first is between two matrix products. An exception, such as Ctrl-C, is raised at once; the
    other item that is being computed is abandoned.
    """
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or min(threads, len(items)) < 2:
        yield from map(compute, items)
        return
    workers = ThreadPoolExecutor(2, ABANDONED, torch.set_num_threads, (threads // 2,))
    begun: deque[Future[Result]] = deque()
    try:
        for item in items:
            if len(begun) == AHEAD:
                yield begun.popleft().result()
            begun.append(workers.submit(compute, item))
        while begun:
            yield begun.popleft().result()
        workers.shutdown()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
        torch.set_num_threads(threads)  # part of this setting is shared by all threads
