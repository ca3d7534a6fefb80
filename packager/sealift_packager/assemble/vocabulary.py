"""Which values of a category are monitored one by one, and on which rows of the holdout they are counted.

A value that is listed because it was frequent was frequent by luck, too: counted on the same rows, the list looks fuller than any window
will, and what it leaves out looks emptier. So whatever is chosen is counted on other rows:

1. Where every value of the holdout is listed and none is scarce, nothing is chosen, and all rows count.
2. Otherwise half of the rows, drawn at random, decide: the most frequent values are listed, the others are rare, whatever they don't have is unknown.
   The other half is counted. Given the first half the bins are fixed, and the rows of the second half and of a window without a shift fall into them
   with the same chances, whatever the population is.
3. Rare values are put into groups by their digests, each frequent enough to be counted: requests that all have one rare value fill one group.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sealift_core.drift.features import MAX_RARE, MAX_RARE_GROUPS, rare_digest, tally

Array = np.ndarray[Any, np.dtype[Any]]

MAX_KNOWN: Final = 64
#: With fewer rows a value is scarce: where one is, the values that the holdout doesn't have may be many.
LEAST_ROWS: Final = 5
#: Half of the rows must have a value so often for it to be listed: the other half then has it often enough for the simulated thresholds to hold.
LEAST_ROWS_LISTED: Final = 10
#: Of all features of a baseline together, so that it stays well below its largest size.
MAX_RARE_TOGETHER: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The values that are listed, the groups of those that are rare, and the values (one a row) to be counted."""

    categories: tuple[str, ...]
    rare: tuple[str, ...] | None
    counted: Array


def choose_vocabulary(values: Array, *, seed: int, features: int = 1) -> Vocabulary:
    """Choose what is monitored of one category.

    Args:
        values: What `sealift_core.drift.statistic.measure` gave, ``[rows]``.
        seed: Decides which half of the rows chooses.
        features: How many features the baseline has; they share the room for rare values.

    Returns:
        The vocabulary, with its categories in order.
    """
    times = tally(values)
    times.pop("", None)
    if len(times) <= MAX_KNOWN and min(times.values(), default=0) >= LEAST_ROWS:
        return Vocabulary(categories=tuple(sorted(times)), rare=None, counted=values)
    order = np.random.default_rng(seed).permutation(len(values))
    choosing, counted = values[order[: len(values) // 2]], values[order[len(values) // 2 :]]
    chosen = tally(choosing)
    ranked = sorted((text for text in chosen if text), key=lambda text: (-chosen[text], text))
    listed = [text for text in ranked[:MAX_KNOWN] if chosen[text] >= LEAST_ROWS_LISTED]
    rare = ranked[len(listed) :][: min(MAX_RARE, MAX_RARE_TOGETHER // features)]
    return Vocabulary(categories=tuple(sorted(listed)), rare=_groups(rare, chosen), counted=counted)


def _groups(rare: Sequence[str], times: collections.Counter[str]) -> tuple[str, ...]:
    """Rare values in groups of about equally many rows; a last one that would be scarce goes with the one before it."""
    least = max(2 * LEAST_ROWS_LISTED, -(-sum(times[text] for text in rare) // MAX_RARE_GROUPS))
    groups, rows = [""], 0
    for digest, count in sorted(_by_digest(rare, times).items()):
        if rows >= least:
            groups, rows = [*groups, ""], 0
        groups[-1] += digest
        rows += count
    if rows < least and len(groups) > 1:
        groups = [*groups[:-2], groups[-2] + groups[-1]]
    return tuple(filter(None, groups))


def _by_digest(texts: Sequence[str], times: collections.Counter[str]) -> collections.Counter[str]:
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        counts[rare_digest(text)] += times[text]
    return counts
