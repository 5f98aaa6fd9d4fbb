"""Background threads that don't block exit, a limit in time, and a two-worker map for CPU inference."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ABANDONED = "abandoned at exit"
"""Prefix of the names of threads that may compute or load for long: see `left_running`."""
MAX_AHEAD = 4
"""Items that are computed or queued while an earlier result has not been taken."""


def left_running() -> bool:
    """Whether an ``ABANDONED`` thread is still running.

    Python would wait for it at exit, or stop it in the middle of native code, which crashes; `os._exit` does neither.
    """
    return any(thread.name.startswith(ABANDONED) for thread in threading.enumerate())


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What ``work`` returns, or raises, from a thread of its own. Ctrl-C stops the waiting at once.

    Raises TimeoutError after ``seconds``; the thread can't be stopped and goes on until the process ends.
    """
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # what Rust raises is no Exception
            result.set_exception(error)

    threading.Thread(target=run, name=ABANDONED, daemon=True).start()
    return result.result(seconds)


def two_at_once(compute: Callable[[Item], Result], items: Sequence[Item], device: str) -> Iterator[Result]:
    """Like `map`, for work done by torch: on "cpu", two items at once, each with half of torch's threads.

    Two Python threads with one torch thread each read 557 tokens/s on two cores, a single one with both threads 431:
    between two matrix products, torch works on one core only. An exception such as Ctrl-C is raised at once; the item
    computed at the same time is abandoned.
    """
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or min(threads, len(items)) < 2:
        yield from map(compute, items)
        return
    workers = ThreadPoolExecutor(2, ABANDONED, torch.set_num_threads, (threads // 2,))
    started: deque[Future[Result]] = deque()
    try:
        for item in items:
            if len(started) == MAX_AHEAD:
                yield started.popleft().result()
            started.append(workers.submit(compute, item))
        while started:
            yield started.popleft().result()
        workers.shutdown()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
        torch.set_num_threads(threads)  # part of this setting is shared by all threads
