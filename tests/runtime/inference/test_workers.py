"""Workers take the models' requests in turns, and each model's own in the order in which they came."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable

from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.inference.workers import WorkerJob, Workers


async def drained(workers: Workers) -> None:
    """Wait until no job waits or runs."""
    async with asyncio.timeout(10):
        while workers.outstanding:  # noqa: ASYNC110 - nobody but this test waits for that
            await asyncio.sleep(0.001)


def run_order(submitted: list[str], *, queued: int = 100) -> tuple[list[str], list[bool]]:
    """In which order one worker runs jobs ``a1`` (of model ``a``), ``b1``, … that come while it is busy; and which were taken."""
    order: list[str] = []

    async def main() -> list[bool]:
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=queued)
        released = threading.Event()
        workers.submit(WorkerJob(released.wait, lambda _: None), "busy")

        def work(name: str) -> Callable[[], None]:
            return lambda: order.append(name)

        taken = [workers.submit(WorkerJob(work(name), lambda _: None), name[0]) for name in submitted]
        released.set()
        await drained(workers)
        workers.stop()
        return taken

    return order, asyncio.run(main())


def test_a_model_that_many_ask_for_does_not_hold_up_another() -> None:
    order, _ = run_order(["a1", "a2", "a3", "a4", "b1", "b2", "c1"])
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_one_model_s_requests_run_as_they_came() -> None:
    order, _ = run_order([f"a{number}" for number in range(10)])
    assert order == [f"a{number}" for number in range(10)]


def test_a_full_queue_of_one_model_leaves_room_for_another() -> None:
    _, taken = run_order(["a1", "a2", "a3", "b1"], queued=1)
    assert taken == [True, True, False, True]


def test_jobs_that_are_queued_run_before_the_workers_end() -> None:
    async def main() -> list[int]:
        done: list[int] = []
        workers = Workers(asyncio.get_running_loop(), threads=2, queued=100)
        for number in range(50):
            workers.submit(WorkerJob(lambda number=number: number, done.append), str(number % 3))  # type: ignore[misc]
        workers.stop()
        await drained(workers)
        return done

    assert sorted(asyncio.run(main())) == list(range(50))


def test_a_cancelled_job_neither_runs_nor_is_delivered() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=100)
        released = threading.Event()
        workers.submit(WorkerJob(released.wait, lambda _: seen.append("first")), "a")
        left = WorkerJob(lambda: seen.append("ran"), lambda _: seen.append("delivered"))
        workers.submit(left, "a")
        left.cancelled = True
        released.set()
        await drained(workers)
        workers.stop()
        return seen

    assert asyncio.run(main()) == ["first"]


def test_a_doubtful_job_waits_for_all_others() -> None:
    order: list[str] = []

    async def main() -> None:
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=100)
        released = threading.Event()
        workers.submit(WorkerJob(released.wait, lambda _: None), "busy")
        jobs = [WorkerJob(lambda name=name: order.append(name), lambda _: None) for name in ("a1", "a2", "b1")]  # type: ignore[misc]
        for job, model in zip(jobs, "aab", strict=True):
            workers.submit(job, model)
        jobs[0].wait_for_others()
        assert {**workers.waiting(), "busy": 0} == {"a": 2, "b": 1, "busy": 0}
        released.set()
        await drained(workers)
        workers.stop()

    asyncio.run(main())
    assert order == ["a2", "b1", "a1"]


def test_a_doubtful_job_that_runs_makes_way_and_is_begun_anew() -> None:
    begun = threading.Event()
    done: list[str] = []
    attempts: list[str] = []

    async def main() -> None:
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=100)
        limit = RunLimit(60)

        def work() -> str:
            attempts.append("attempt")
            begun.set()
            while len(attempts) == 1 and not limit.abandoned:
                time.sleep(0.001)
            return "interrupted" if limit.abandoned else "whole"

        doubtful = WorkerJob(work, done.append, limit)
        workers.submit(doubtful, "a")
        await asyncio.to_thread(begun.wait)
        doubtful.wait_for_others()
        workers.submit(WorkerJob(lambda: "other", done.append), "b")
        await drained(workers)
        workers.stop()

    asyncio.run(main())
    assert done == ["other", "whole"]
    assert len(attempts) == 2


def test_what_a_job_holds_is_gone_once_it_is_done_and_no_collector_is_needed() -> None:
    class Held:
        def work(self) -> None:
            """Nothing."""

    async def main() -> None:
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=100)
        held = Held()
        gone = weakref.ref(held)
        workers.submit(WorkerJob(held.work, lambda _: None), "a")
        del held
        await drained(workers)
        await asyncio.sleep(0.05)
        assert gone() is None
        workers.stop()

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
