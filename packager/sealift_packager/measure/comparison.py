"""All candidates of a profile compared, each with the threads that suit it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_packager.measure.latency import MAX_ROUNDS, MIN_ROUNDS, undecided
from sealift_packager.measure.tuning import fewest_threads
from sealift_packager.model.source import Array

#: How often all candidates are opened anew. Two sessions of one graph differ by 1 to 2 % (standard deviation), now and then by 20 %.
OPENINGS: Final = 6
#: How often a comparison that is still undecided is extended.
EXTENSIONS: Final = 3

#: Opens sessions by these names, in this order, and gives samples of their paired runs: for so many seconds, but the least and most rounds.
Opening = Callable[[Sequence[str], float, tuple[int, int]], Mapping[str, Array]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A candidate's number of threads, and with them its milliseconds [openings, rounds], paired with the others'."""

    threads: int
    samples_ms: Array


def compare(open_and_measure: Opening, runs: Mapping[str, Mapping[int, str]], *, seconds: float, openings: int = OPENINGS) -> dict[str, Compared]:
    """Compare candidates, the first of which is the reference; ``runs`` are names of runs by candidate and threads.

    1. Everything is opened ``openings`` times, for as many rounds as the first time gave in its share of ``seconds``, in an order drawn anew:
       what is opened last is quicker by up to 1 %.
    2. Each candidate gets the fewest threads that are about as quick as any (`fewest_threads`), but not so few that it is slower than the reference.
    3. This is repeated, at most `EXTENSIONS` times, while it is undecided whether a candidate is slower than the reference.
    """
    names = [run for by_threads in runs.values() for run in by_threads.values()]
    draw = random.Random(0)  # noqa: S311 - an order, no secret
    first = open_and_measure(names, seconds / openings, (-(-MIN_ROUNDS // openings), MAX_ROUNDS // openings))
    rounds = len(first[names[0]])
    opened, compared = [first], dict[str, Compared]()
    for extension in range(1 + EXTENSIONS):
        while len(opened) < (extension + 1) * openings:  # 1
            opened.append(open_and_measure(draw.sample(names, len(names)), 0.0, (rounds, rounds)))
        compared = _choose_threads({name: np.stack([samples[name] for samples in opened]) for name in names}, runs)  # 2
        reference, *others = (candidate.samples_ms for candidate in compared.values())
        if not any(undecided(reference, values) for values in others):  # 3
            break
    return compared


def _choose_threads(samples_ms: Mapping[str, Array], runs: Mapping[str, Mapping[int, str]]) -> dict[str, Compared]:
    first, *others = ({count: samples_ms[run] for count, run in by_threads.items()} for by_threads in runs.values())
    reference = _best(first)
    chosen = [_no_slower(_best(by_threads), by_threads, reference) for by_threads in others]
    return dict(zip(runs, [reference, *chosen], strict=True))


def _best(samples_ms: Mapping[int, Array]) -> Compared:
    """By threads, from ratios of paired runs: what else the machine does weighs on their medians."""
    one = next(iter(samples_ms.values()))
    threads = fewest_threads({count: float(np.median(values / one)) for count, values in samples_ms.items()})
    return Compared(threads=threads, samples_ms=samples_ms[threads])


def _no_slower(candidate: Compared, samples_ms: Mapping[int, Array], reference: Compared) -> Compared:
    """With the reference's threads, if fewer make it slower: of two that are as quick, one may gain a little less by another thread."""
    if candidate.threads >= reference.threads or np.median(reference.samples_ms / candidate.samples_ms) >= 1:
        return candidate
    return Compared(threads=reference.threads, samples_ms=samples_ms[reference.threads])
