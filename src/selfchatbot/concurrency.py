"""Threads that nobody waits for at the end, and pieces of work of which two are done at once."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

ABANDONED = "abandoned at exit"
"""How the names of threads begin that may compute or load for long: see `left_running`."""
AHEAD = 4
"""Pieces that are begun or wait to be while the result of an earlier one is not taken yet."""


def left_running() -> bool:
    """Whether such a thread is still at work.

    Python would wait for it, or end it in the middle of what it does, which is a crash where that is not Python:
    `os._exit` does neither.
    """
    return any(thread.name.startswith(ABANDONED) for thread in threading.enumerate())


def two_at_once(compute: Callable[[Piece], Result], pieces: Sequence[Piece], device: str) -> Iterator[Result]:
    """Like `map`, for work of torch: where ``device`` is "cpu", two pieces at once, each with half of torch's threads.

    Two threads of Python with one of torch each read 557 tokens/s on two cores, one with both of them 431: what torch
    does on one core between two products, the other need not wait for. An exception, Ctrl-C for one, comes at once;
    the piece that is being computed beside it is left to itself.
    """
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or min(threads, len(pieces)) < 2:
        yield from map(compute, pieces)
        return
    workers = ThreadPoolExecutor(2, ABANDONED, torch.set_num_threads, (threads // 2,))
    begun: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            if len(begun) == AHEAD:
                yield begun.popleft().result()
            begun.append(workers.submit(compute, piece))
        while begun:
            yield begun.popleft().result()
        workers.shutdown()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
        torch.set_num_threads(threads)  # a part of it is the same for all threads
