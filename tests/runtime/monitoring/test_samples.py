from __future__ import annotations

import threading

import numpy as np

from sealift_runtime.monitoring.samples import OVERHEAD_BYTES, QueueLimits, SampleQueue


def test_a_sample_is_a_copy_so_the_server_may_reuse_its_buffers() -> None:
    queue = SampleQueue()
    buffer = np.array([[1.0, 2.0]])
    queue.put({"x": buffer}, {})
    buffer[:] = 9
    assert queue.drain()[0].inputs["x"].tolist() == [[1.0, 2.0]]


def test_rows_that_find_no_room_are_counted_as_dropped() -> None:
    queue = SampleQueue(QueueLimits(rows=5))
    for _ in range(4):
        queue.put({"x": np.zeros((2, 3))}, {})
    assert sum(sample.rows for sample in queue.drain()) == 5
    assert queue.dropped_rows == 3


def test_bytes_are_bounded_too() -> None:
    queue = SampleQueue(QueueLimits(size_bytes=OVERHEAD_BYTES * 4 + 8 * 100))
    queue.put({"x": np.zeros((1000, 1))}, {})
    taken = queue.drain()
    assert 0 < sum(sample.inputs["x"].nbytes for sample in taken) <= OVERHEAD_BYTES * 4 + 8 * 100
    assert queue.dropped_rows == 1000 - taken[0].rows


def test_draining_makes_room_again() -> None:
    queue = SampleQueue(QueueLimits(rows=2))
    for _ in range(3):
        queue.put({"x": np.zeros((2, 1))}, {})
        assert queue.drain()[0].rows == 2
    assert queue.dropped_rows == 0


def test_nothing_is_lost_or_counted_twice_between_threads() -> None:
    queue = SampleQueue(QueueLimits(rows=50))
    taken: list[int] = []
    done = threading.Event()

    def fill() -> None:
        for _ in range(2000):
            queue.put({"x": np.zeros((1, 1))}, {})

    def empty() -> None:
        while not done.is_set():
            taken.append(len(queue.drain()))

    fillers = [threading.Thread(target=fill) for _ in range(3)]
    drainer = threading.Thread(target=empty)
    for thread in (*fillers, drainer):
        thread.start()
    for thread in fillers:
        thread.join()
    done.set()
    drainer.join()
    assert sum(taken) + len(queue.drain()) + queue.dropped_rows == 6000
    queue.put({"x": np.zeros((50, 1))}, {})
    assert queue.drain()[0].rows == 50
