"""Latency of several candidates, measured in turns, so that what else the machine does hits all of them alike.

Samples are [rounds] of one opening, or [openings, rounds]: sessions of one graph differ as their memory lies, so candidates are opened several times.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_packager.measure.bootstrap import median_interval
from sealift_runtime.alternation import WARM_UP, alternate

MAX_ROUNDS: Final = 400
MIN_ROUNDS: Final = 40
#: How often all candidates are opened anew. Two sessions of one graph differ by 1 to 2 % (standard deviation), now and then by 20 %.
OPENINGS: Final = 6
#: A candidate whose speed-up may, by its interval, lie below this is slower.
NOT_SLOWER: Final = 0.97
#: How often a comparison that is still undecided is gone on with.
EXTENSIONS: Final = 3

#: Opens the candidates of these names, in this order, and gives samples of paired runs: for so many seconds, but the least and most rounds.
Opening = Callable[[Sequence[str], float, tuple[int, int]], Mapping[str, Array]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as fp32: the median of the ratios of paired runs, with its 95 % interval, over openings and rounds.

    The two runs of a pair are of one round, so what else the machine does cancels.
    """

    ratio: float
    low: float
    high: float


def measure(
    runs: Mapping[str, Callable[[], object]], *, seconds: float, rounds: tuple[int, int] = (MIN_ROUNDS, MAX_ROUNDS), warm_up: int = WARM_UP
) -> dict[str, Array]:
    """Milliseconds [rounds] of each run by name, one sample each per round (`alternate`), for ``seconds``, but the least and most ``rounds``."""
    least, most = rounds
    samples = alternate(runs, seconds=seconds, least_rounds=least, most_rounds=most, warm_up=warm_up)
    return {name: np.array(values) for name, values in samples.items()}


def speedup(reference_ms: Array, candidate_ms: Array, *, seed: int) -> Speedup:
    """Of a candidate over the reference. Pure."""
    ratios = reference_ms / candidate_ms
    low, high = median_interval(ratios, seed=seed)
    return Speedup(ratio=float(np.median(ratios)), low=low, high=high)


def undecided(reference_ms: Array, candidate_ms: Array) -> bool:
    """Whether the interval still holds `NOT_SLOWER`, so that a few more rounds might decide. Pure."""
    found = speedup(reference_ms, candidate_ms, seed=0)
    return found.low < NOT_SLOWER <= found.high


def compare(open_and_measure: Opening, names: Sequence[str], *, seconds: float, openings: int = OPENINGS) -> dict[str, Array]:
    """Milliseconds [openings, rounds] of each by name, taken for about ``seconds`` beside what opening takes; the first name is the reference.

    Gone on with, at most `EXTENSIONS` times, while it is undecided whether one is slower than the reference.
    """
    draw = random.Random(0)  # noqa: S311 - an order, no secret
    first = open_and_measure(names, seconds / openings, (-(-MIN_ROUNDS // openings), MAX_ROUNDS // openings))
    rounds = len(first[names[0]])
    found = [first]
    samples: dict[str, Array] = {}
    for number in range(1 + EXTENSIONS):
        while len(found) < (number + 1) * openings:  # in another order each, because what is opened last is quicker by up to 1 %
            found.append(open_and_measure(draw.sample(names, len(names)), 0.0, (rounds, rounds)))
        samples = {name: np.stack([row[name] for row in found]) for name in names}
        if not any(undecided(samples[names[0]], samples[name]) for name in names[1:]):
            break
    return samples
