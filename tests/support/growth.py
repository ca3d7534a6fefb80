"""How a parser's time grows with its input: the size is doubled, and the time must not grow like its square.

Times are of this thread's processor, the least of several, so that what else runs on the machine says little.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Callable
from typing import Final

#: A size that takes so long is measured well; below, nothing is said of growth.
LEAST_S: Final = 0.004
#: The most that two doublings may multiply: 4 is linear, 16 is quadratic.
TWO_DOUBLINGS: Final = 8.5
FIRST_SIZE: Final = 4 * 1024
REPEATS: Final = 2
TRIES: Final = 6
#: The most that an input of any size may take, whatever its growth.
MOST_S: Final = 10.0

Make = Callable[[int], bytes]
Parse = Callable[[bytes], object]
#: Seconds of work done so far.
WorkClock = Callable[[], float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Sizes in bytes, each twice the one before, and their times in seconds."""

    sizes: tuple[int, ...]
    times: tuple[float, ...]

    @property
    def factor(self) -> float:
        """By how much the last two doublings multiplied the time."""
        return self.times[-1] / self.times[0]


def check_growth(
    make: Make,
    parse: Parse,
    *,
    most_bytes: int,
    first_bytes: int = FIRST_SIZE,
    least_s: float = LEAST_S,
    clock: WorkClock = time.thread_time,
) -> None:
    """Raise AssertionError if the work of ``parse`` on what ``make`` makes grows much faster than its size.

    Sizes go from ``first_bytes`` to ``most_bytes``; the first that takes ``least_s`` is where growth is measured from.
    """
    size = _worth_measuring(make, parse, (first_bytes, most_bytes), least_s, clock)
    if size is None:
        return
    for attempt in range(TRIES):
        growth = measure(make, parse, size, repeats=REPEATS + attempt, clock=clock)
        if growth.factor <= TWO_DOUBLINGS:
            return
        assert growth.times[-1] < MOST_S, f"too slow: {growth}"
        if attempt % 2:
            size = max(FIRST_SIZE, size // 2)  # perhaps the largest didn't fit into the processor's cache
    raise AssertionError(f"grows too fast: {growth}")


def measure(make: Make, parse: Parse, size: int, *, repeats: int = REPEATS, clock: WorkClock = time.thread_time) -> Growth:
    """Times at ``size``, twice and four times that, each the least of some."""
    sizes = (size, 2 * size, 4 * size)
    return Growth(sizes=sizes, times=tuple(min(_time(parse, data, clock) for _ in range(repeats)) for data in map(make, sizes)))


def _worth_measuring(make: Make, parse: Parse, sizes: tuple[int, int], least_s: float, clock: WorkClock) -> int | None:
    """The first size that takes long enough; None if none does within the bound."""
    size, most_bytes = sizes
    while 4 * size <= most_bytes:
        taken = _time(parse, make(size), clock)
        assert taken < MOST_S, f"{size} bytes took {taken:.1f} s"
        if taken >= least_s:
            return size
        size *= 2
    return None


def _time(parse: Parse, data: bytes, clock: WorkClock) -> float:
    gc.collect()
    begun = clock()
    parse(data)
    return clock() - begun
