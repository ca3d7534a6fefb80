"""Several things timed in turns, so that what else a machine does hits all of them alike.

This is in the core, so that a device that measures for a packager takes turns exactly as the packager does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

WARM_UP: Final = 3
#: Milliseconds below which what the caches hold weighs: a processor fills its last-level cache, tens of megabytes, in a few.
QUICK_MS: Final = 20.0


def alternate(
    runs: Mapping[str, Callable[[], object]], *, seconds: float, least_rounds: int, most_rounds: int, warm_up: int = WARM_UP
) -> dict[str, list[float]]:
    """Time several things in turns, one sample each per round, in an order that is drawn anew for every round and the same every time.

    Where all of them are quick, an untimed run goes before each timed one: caches then hold what they hold where one model is served, and not what
    the run before left of another's. Without that, the order alone made equal sessions of one graph differ by 4 %.

    Args:
        runs: What to time, by name; at least one.
        seconds: How long to go on.
        least_rounds: The fewest rounds, however long they take.
        most_rounds: The most rounds, however short they are.
        warm_up: How often each runs before anything is timed, at least once.

    Returns:
        The milliseconds of each run by name, one for each round, so that samples at the same place are pairs.
    """
    slowest = max(_warm(run, warm_up) for run in runs.values())
    before = 1 if slowest < QUICK_MS else 0
    samples: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    for number, names in zip(range(most_rounds), _orders(list(runs)), strict=False):
        if number >= least_rounds and time.perf_counter() > end:
            break
        for name in names:
            for _ in range(before):
                runs[name]()
            samples[name].append(_timed(runs[name]))
    return samples


def _warm(run: Callable[[], object], times: int) -> float:
    """The milliseconds of the last of so many runs."""
    return [_timed(run) for _ in range(times)][-1]


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / 1e6


def _orders(names: Sequence[str]) -> Iterator[list[str]]:
    """Orders without end, in which nothing follows itself."""
    draw, last = random.Random(0), ""  # noqa: S311 - an order, no secret
    while True:
        order = draw.sample(names, len(names))
        if order[0] == last:
            order.append(order.pop(0))
        last = order[-1]
        yield order
