"""Heavy requests, on threads, from one fair queue: first come, first served, over all models."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_END: Final = None


class Job(Generic[T]):
    """Work for a worker, and who is told of its end, on the event loop."""

    __slots__ = ("cancelled", "done", "work")

    def __init__(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        self.work = work
        self.done = done
        self.cancelled = False


def available_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A pool of threads. ``submit`` and every ``done`` run on the event loop; ``work`` must not raise."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, threads: int, queued: int) -> None:
        self._loop = loop
        self._queued = queued + threads
        self._jobs: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self.outstanding = 0
        self._threads = [threading.Thread(target=self._serve, name=f"infer-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job[T]) -> bool:
        """Queue a job; False, and nothing done, if too many wait already."""
        if self.outstanding >= self._queued:
            return False
        self.outstanding += 1
        self._jobs.put(job)  # type: ignore[arg-type]
        return True

    def stop(self) -> None:
        """Let the threads end after the jobs that are queued."""
        for _ in self._threads:
            self._jobs.put(_END)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not _END:
            result = None if job.cancelled else job.work()
            try:
                self._loop.call_soon_threadsafe(self._finish, job, result)
            except RuntimeError:  # the loop is closed: the server went without waiting for this request
                return
            del job, result  # an idle worker must not keep an old session alive

    def _finish(self, job: Job[object], result: object) -> None:
        self.outstanding -= 1
        if not job.cancelled:
            job.done(result)
