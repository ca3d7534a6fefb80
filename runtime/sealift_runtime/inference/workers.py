"""Heavy requests, on threads, from one queue per model.

The models that have requests waiting take turns; within a model it is first come, first served. So a model that many ask for holds up
itself, and no other by more than one request per worker and turn.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sealift_runtime.engine.run_limit import RunLimit

T = TypeVar("T")


class WorkerJob(Generic[T]):
    """Work for a worker, which keeps to a limit, and who is told of its end, on the event loop.

    Attributes:
        work: What is to be done; may be begun anew.
        done: Is told what came of it.
        doubtful: Whether perhaps nobody wants the answer any more: then it runs while no other job waits, and is begun anew later if one comes.
        interrupted: Whether it was ended for another job.
    """

    __slots__ = ("_gone", "_limit", "defer", "done", "doubtful", "interrupted", "work")

    def __init__(self, work: Callable[[], T], done: Callable[[T], None], limit: RunLimit | None = None) -> None:
        self.work = work
        self.done = done
        self.doubtful = self.interrupted = self._gone = False
        self.defer: Callable[[WorkerJob[Any]], None] | None = None
        self._limit = limit or RunLimit(math.inf)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more: then it isn't begun, or it is ended."""
        return self._gone

    @cancelled.setter
    def cancelled(self, cancelled: bool) -> None:
        self._gone = self._limit.abandoned = cancelled

    def wait_for_others(self) -> None:
        """Perhaps nobody wants the answer any more: let all others go first."""
        self.doubtful = True
        if self.defer is not None:
            self.defer(self)

    def interrupt(self) -> None:
        """End the run; the job is to be begun anew."""
        self.interrupted = self._limit.abandoned = True

    def begin_anew(self) -> None:
        """Forget that it was interrupted."""
        self.interrupted, self._limit.abandoned = False, self._gone


class Workers:
    """A pool of threads. ``submit`` and every ``done`` run on the event loop; ``work`` must not raise."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, threads: int, queued: int) -> None:
        self._loop = loop
        self._most = queued + threads
        self._ready = threading.Condition()
        self._queues: dict[str, collections.deque[WorkerJob[object]]] = {}  # none is empty; in the order of their turns
        self._running: dict[int, WorkerJob[object]] = {}
        self._last: collections.deque[tuple[str, WorkerJob[object]]] = collections.deque()  # taken when all queues are empty
        self._stopping = False
        self._outstanding: collections.Counter[str] = collections.Counter()
        self._threads = [threading.Thread(target=self._serve, name=f"infer-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def limit(self, queued: int) -> None:
        """Let so many jobs of a model wait from now on."""
        self._most = queued + len(self._threads)

    @property
    def outstanding(self) -> int:
        """The jobs that wait or run."""
        return self._outstanding.total()

    def waiting(self) -> dict[str, int]:
        """How many jobs of each model wait."""
        with self._ready:
            counts = collections.Counter({model: len(queue) for model, queue in self._queues.items()})
            counts.update(model for model, _ in self._last)
        return dict(counts)

    def submit(self, job: WorkerJob[T], model: str) -> bool:
        """Queue a job of a model; False, and nothing done, if too many of that model wait already."""
        if self._outstanding[model] >= self._most:
            return False
        self._outstanding[model] += 1
        job.defer = functools.partial(self._put_last, model)  # nothing that refers to the job: it is to be gone once it is done
        with self._ready:
            self._queues.setdefault(model, collections.deque()).append(job)  # type: ignore[arg-type]
            self._make_way()
            self._ready.notify()
        return True

    def stop(self, wait_s: float = 0.0) -> bool:
        """Let the threads end after the jobs that are queued; whether they have within ``wait_s``."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        deadline = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _take(self) -> tuple[str, WorkerJob[object]] | None:
        """The first job of the model whose turn it is, once there is one; None if there won't be any more."""
        with self._ready:
            while not self._queues:
                if self._last:
                    model, job = self._last.popleft()
                    break
                if self._stopping:
                    return None
                self._ready.wait()
            else:
                model = next(iter(self._queues))
                queue = self._queues.pop(model)
                job = queue.popleft()
                if queue:
                    self._queues[model] = queue  # at the end
            self._running[threading.get_ident()] = job
            return model, job

    def _make_way(self) -> None:
        """Interrupt a doubtful job if all threads are busy."""
        if len(self._running) == len(self._threads):
            doubtful = (job for job in self._running.values() if job.doubtful and not job.interrupted)
            if (job := next(doubtful, None)) is not None:
                job.interrupt()

    def _put_last(self, model: str, job: WorkerJob[Any]) -> None:
        with self._ready:
            queue = self._queues.get(model)
            if queue is None or job not in queue:
                if self._queues:
                    self._make_way()
                return
            queue.remove(job)
            if not queue:
                del self._queues[model]
            self._last.append((model, job))
            self._ready.notify()

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            model, job = taken
            result = None if job.cancelled else job.work()
            try:
                if not self._is_put_back(model, job):
                    self._loop.call_soon_threadsafe(self._finish, model, job, result)
            except RuntimeError:  # the loop is closed: the server went without waiting for this request
                return
            del taken, job, result  # an idle worker must not keep an old session alive

    def _is_put_back(self, model: str, job: WorkerJob[object]) -> bool:
        """Let go of a job that has run; whether it is to be begun anew, as it was interrupted."""
        with self._ready:
            del self._running[threading.get_ident()]
            if not job.interrupted or job.cancelled or self._stopping:
                return False
            job.begin_anew()
            self._last.append((model, job))
            return True

    def _finish(self, model: str, job: WorkerJob[object], result: object) -> None:
        self._outstanding[model] -= 1
        if not self._outstanding[model]:
            del self._outstanding[model]
        if not job.cancelled:
            job.done(result)
