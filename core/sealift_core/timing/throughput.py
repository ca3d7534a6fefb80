"""Rows per second with every core busy.

This is in the core, so that a device that measures for a packager sends requests exactly as the packager does.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Final

#: Larger batches aren't tried after one whose rate is below this share of the best.
FALLING: Final = 0.9
#: Each rate is the best of so many windows.
WINDOWS: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The best rate.

    Attributes:
        rows_per_s: The most rows per second.
        batch_size: The rows per request that gave it.
    """

    rows_per_s: float
    batch_size: int


def throughput(runs: Mapping[int, Callable[[], object]], *, callers: int, seconds: float) -> Throughput:
    """Find the best rate over batch sizes, ascending.

    For each, some callers share one session, and each sends its next request when it has the answer to the last. Larger batches aren't tried once
    the rate falls or a request takes longer than the time for one size.

    Args:
        runs: A request for each batch size, by its rows; at least one.
        callers: The number of threads: one per core, as the agent has workers.
        seconds: How long to go on with each batch size.

    Returns:
        The best rate and its batch size.
    """
    best = Throughput(rows_per_s=0.0, batch_size=min(runs))
    for size in sorted(runs):
        requests_per_s, spent = _rate(runs[size], callers, seconds)
        measured = Throughput(rows_per_s=requests_per_s * size, batch_size=size)
        falling = measured.rows_per_s < FALLING * best.rows_per_s
        best = max(best, measured, key=lambda candidate: candidate.rows_per_s)
        if falling or spent > 2 * seconds:
            break
    return best


def _rate(run: Callable[[], object], callers: int, seconds: float) -> tuple[float, float]:
    """Requests per second of all callers together in the best of some windows, and how long all took: what else runs only takes away."""
    start = time.perf_counter()
    best = 0.0
    for _ in range(WINDOWS):
        requests_per_s, spent = _window(run, callers, seconds / WINDOWS)
        best = max(best, requests_per_s)
        if spent > seconds:
            break
    return best, time.perf_counter() - start


def _window(run: Callable[[], object], callers: int, seconds: float) -> tuple[float, float]:
    """Requests per second, and how long that took; each caller sends one at least."""
    start = time.perf_counter()

    def calls(_: int) -> int:
        done = 0
        while not done or time.perf_counter() - start < seconds:
            run()
            done += 1
        return done

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        done = sum(pool.map(calls, range(callers)))
    spent = time.perf_counter() - start
    return done / spent, spent
