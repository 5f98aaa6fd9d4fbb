"""One model, one thread: jobs wait in a queue, and each can be cancelled at any time, waiting or running.

Clients take turns, and each gets its share of the places: whoever sends many requests waits for nobody but themselves.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class QueueFull(Exception):
    """Too many jobs are waiting, and no client has more of them than this one."""

    def __init__(self, own: int) -> None:
        self.own = own
        """Jobs of the client that are waiting."""


class WorkerStopped(Exception):
    """The worker is shutting down; unfinished jobs stay unfinished."""


class Job(Generic[T]):
    """What one client waits for: the items of a generator that runs in the worker's thread.

    If the client is slow, items collect here (a reply is short), so the worker never waits for a client.
    """

    def __init__(self, work: Callable[[], Generator[T, None, None]]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | Exception | None] = asyncio.Queue()
        self._cancelled = threading.Event()

    async def items(self) -> AsyncIterator[T]:
        """Each item as soon as it is there. Raises what the work raises, and WorkerStopped."""
        while (item := await self._items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def cancel(self) -> None:
        """Stop the work before its next item, or before it starts."""
        self._cancelled.set()
        self._items.put_nowait(None)

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def run(self, stopping: threading.Event) -> None:
        """Do the work, in the worker's thread."""
        try:
            items = self._work()
            try:
                while not self.cancelled:
                    if stopping.is_set():
                        raise WorkerStopped
                    try:
                        self._put(next(items))
                    except StopIteration:
                        break
            finally:
                items.close()
            self._put(None)
        except BaseException as error:  # the client gets it, Rust's too; the worker continues with the next job
            self.fail(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    def fail(self, error: Exception) -> None:
        """End with ``error``; from any thread."""
        self._put(error)

    def _put(self, item: T | Exception | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)


class Worker:
    """Runs jobs one after another: those of a client in their order, one of each client in turn.

    At most ``max_waiting`` wait. If there is no place left, the last job of the client with most of them gives way to
    one of a client with fewer.
    """

    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self._waiting: OrderedDict[str, deque[Job[object]]] = OrderedDict()
        """By client; the first one is next."""
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Generator[T, None, None]], client: str = "") -> Job[T]:
        """Add ``work`` of a ``client`` to the queue. Raises QueueFull and WorkerStopped."""
        job = Job(work)
        with self._changed:
            if self._stopping.is_set():
                raise WorkerStopped
            for name, jobs in list(self._waiting.items()):
                self._keep(name, deque(one for one in jobs if not one.cancelled))
            self._make_room(client)
            self._waiting.setdefault(client, deque()).append(job)  # type: ignore[arg-type]  # items don't matter here
            self._changed.notify()
        return job

    def stop(self) -> None:
        """Stop the current job before its next item and fail the waiting ones. Returns at once."""
        with self._changed:
            self._stopping.set()
            for jobs in self._waiting.values():
                for job in jobs:
                    job.fail(WorkerStopped())
            self._waiting.clear()
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(seconds)

    def _make_room(self, client: str) -> None:
        """Make sure that there is a place for one more job of ``client``."""
        if sum(map(len, self._waiting.values())) < self.max_waiting:
            return
        own = len(self._waiting.get(client, ()))
        most = max(self._waiting, key=lambda name: len(self._waiting[name]), default=client)
        jobs = self._waiting.get(most, deque())
        if len(jobs) <= own + 1:  # then it would have more than the one that gives way
            raise QueueFull(own)
        jobs.pop().fail(QueueFull(len(jobs)))

    def _keep(self, client: str, jobs: "deque[Job[object]]") -> None:
        if jobs:
            self._waiting[client] = jobs
        else:
            self._waiting.pop(client, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping.is_set():
                    self._changed.wait()
                if not self._waiting:
                    return
                client, jobs = self._waiting.popitem(last=False)
                job = jobs.popleft()
                self._keep(client, jobs)  # behind the others
            if not job.cancelled:
                job.run(self._stopping)
