"""One model, one thread: requests wait in line, and each can be given up at any time, before its turn or within it."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """The line is full."""


class Stopping(Exception):
    """The worker ends; what it had not finished stays unfinished."""


class Job(Generic[T]):
    """What one client waits for: the items of a generator that runs in the worker's thread.

    Items pile up here when the client is slow (a reply is short), so the worker never waits for anybody.
    """

    def __init__(self, work: Callable[[], Generator[T, None, None]]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | Exception | None] = asyncio.Queue()
        self._given_up = threading.Event()

    async def items(self) -> AsyncIterator[T]:
        """Each item as it is made; raises what the work raises, and Stopping."""
        while (item := await self._items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def give_up(self) -> None:
        """Nobody listens any more: the work is stopped before its next item, or never begun."""
        self._given_up.set()
        self._items.put_nowait(None)

    @property
    def given_up(self) -> bool:
        return self._given_up.is_set()

    def run(self, stopping: threading.Event) -> None:
        """In the worker's thread."""
        try:
            items = self._work()
            try:
                while not self.given_up:
                    if stopping.is_set():
                        raise Stopping
                    try:
                        self._put(next(items))
                    except StopIteration:
                        break
            finally:
                items.close()
            self._put(None)
        except Exception as error:  # the client is told, the worker goes on with the next
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End with ``error``; from any thread."""
        self._put(error)

    def _put(self, item: T | Exception | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)


class Worker:
    """Runs jobs one after the other, first come, first served."""

    def __init__(self, longest_line: int) -> None:
        self.longest_line = longest_line
        """So many jobs may wait."""
        self._line: deque[Job[object]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Generator[T, None, None]]) -> Job[T]:
        """Put ``work`` at the end of the line. Raises Busy when the line is full, and Stopping."""
        job = Job(work)
        with self._changed:
            if self._stopping.is_set():
                raise Stopping
            # Who has left keeps no place.
            waiting = [one for one in self._line if not one.given_up]
            self._line = deque(waiting)
            if len(waiting) >= self.longest_line:
                raise Busy
            self._line.append(job)  # type: ignore[arg-type]  # the worker looks into no item
            self._changed.notify()
        return job

    def stop(self) -> None:
        """Stop the work in hand before its next item and send away who waits; does not wait for it."""
        with self._changed:
            self._stopping.set()
            for job in self._line:
                job.fail(Stopping())
            self._line.clear()
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._line and not self._stopping.is_set():
                    self._changed.wait()
                if not self._line:
                    return
                job = self._line.popleft()
            if not job.given_up:
                job.run(self._stopping)
