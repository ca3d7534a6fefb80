"""Several things timed in turns, so that what else a machine does hits all of them alike.

Here and not in the packager, so that a device that measures for one takes turns as the packager does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

WARM_UP: Final = 5


def alternate(
    runs: Mapping[str, Callable[[], object]], *, seconds: float, least_rounds: int, most_rounds: int, warm_up: int = WARM_UP
) -> dict[str, list[float]]:
    """Milliseconds of each run by name, one sample each per round; every other round goes backwards."""
    for run in runs.values():
        for _ in range(warm_up):
            run()
    names = list(runs)
    samples: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + seconds
    for number in range(most_rounds):
        if number >= least_rounds and time.perf_counter() > end:
            break
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter_ns()
            runs[name]()
            samples[name].append((time.perf_counter_ns() - start) / 1e6)
    return samples
