"""Which nodes go back to fp32 when int8 misses the gate: greedily the worst first, then a step back. Pure: what builds and judges is passed in.

Every attempt is judged by the same holdout rows, which costs some of the gate's certainty. Simulated (20,000 times, 16 attempts that each lose just
the budget, normal errors): some attempt passes in 5 % of cases where their errors correlate by 0.97, 7 % by 0.9 and 18 % by 0.5, against 2.5 % for a
single look. Choosing by the interval on one half of the rows and judging by the other half brings that below 1 %, but of attempts that are truly good
enough (a single look passes 94 %) it passes only 55 to 69 %; so all rows choose and judge.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

#: So many judgements at most: each one looks at the holdout again.
MAX_STEPS: Final = 16

Attempt = TypeVar("Attempt")


def first_that_passes(attempts: Iterable[Attempt], passes: Callable[[Attempt], bool]) -> Attempt | None:
    """The first of them, each of which leaves one node out of int8; of many only the first half of ``MAX_STEPS`` are made.

    For a gate that is missed by a few rows at a border: errors don't tell whose rounding pushes those over it.
    """
    return next((one for one in itertools.islice(attempts, MAX_STEPS // 2) if passes(one)), None)


def revert(nodes: Sequence[str], attempt: Callable[[frozenset[str]], Attempt], passes: Callable[[Attempt], bool]) -> tuple[str, ...] | None:
    """The nodes to revert, in the order given (worst first); None if half of them aren't enough.

    0. If the gate isn't passed with the worse half reverted, give up.
    1. Revert the worst 1, 2, 4, … nodes until the gate is passed.
    2. Between the last failure and the first success, halve.
    3. Step back: each reverted node in turn, the least bad first, becomes int8 again if the gate still passes without it.
    """
    left = MAX_STEPS
    judged: dict[frozenset[str], bool] = {}

    def good(chosen: Sequence[str]) -> bool:
        nonlocal left
        key = frozenset(chosen)
        if key not in judged:
            left -= 1
            judged[key] = passes(attempt(key))
        return judged[key]

    most = max(1, len(nodes) // 2)
    if not good(nodes[:most]):  # 0
        return None
    failed, count = 0, 1  # 1
    while not good(nodes[:count]):
        failed, count = count, min(2 * count, most)
    while count - failed > 1 and left > 0:  # 2
        middle = (failed + count) // 2
        failed, count = (failed, middle) if good(nodes[:middle]) else (middle, count)
    kept = list(nodes[:count])
    for name in reversed(nodes[:count]):  # 3
        without = [other for other in kept if other != name]
        if without and left > 0 and good(without):
            kept = without
    return tuple(kept)
