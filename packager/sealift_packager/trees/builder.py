"""A tree put together node by node; what libraries decide by sets of categories becomes a chain of thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.trees.ensemble import Array, Tree
from sealift_packager.trees.thresholds import before


class TreeBuilder:
    """Nodes are reserved first (`new`), then made a leaf or a split; the first one is the root."""

    def __init__(self, width: int) -> None:
        self._nodes: list[tuple[int, float, bool, int, int]] = []
        self._values: list[Array] = []
        self._zero = np.zeros(width)

    def new(self) -> int:
        """Reserve a node: a leaf of zero until it is said otherwise."""
        self._nodes.append((-1, 0.0, False, 0, 0))
        self._values.append(self._zero)
        return len(self._nodes) - 1

    def leaf(self, node: int, value: Array) -> None:
        """What rows that end here add."""
        self._values[node] = np.atleast_1d(np.asarray(value, np.float64))

    def split(self, node: int, feature: int, threshold: float, *, missing_left: bool, left: int, right: int) -> None:
        """X <= threshold goes left."""
        self._nodes[node] = (feature, threshold, missing_left, left, right)

    def members(self, node: int, feature: int, intervals: Sequence[tuple[float, float]], *, inside: int, outside: int, missing: int) -> None:
        """Rows whose feature lies in one of the intervals ]above, up to] go to ``inside``, others to ``outside``, NaN to ``missing``."""
        edges = list(itertools.chain.from_iterable(merged(intervals))) or [-np.inf]
        for at, edge in enumerate(edges):
            region = outside if at % 2 == 0 else inside
            following = outside if at == len(edges) - 1 else self.new()
            self.split(node, feature, float(edge), missing_left=missing == region, left=region, right=following)
            node = following

    def tree(self, *, output: int = 0) -> Tree:
        """The finished tree."""
        feature, threshold, missing, left, right = (np.array(column) for column in zip(*self._nodes, strict=True))
        return Tree(
            feature=feature.astype(np.int64),
            threshold=threshold.astype(np.float64),
            missing_left=missing.astype(bool),
            left=left.astype(np.int64),
            right=right.astype(np.int64),
            value=np.stack(self._values),
            output=output,
        )


def merged(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Intervals in order, those that touch made one."""
    result: list[tuple[float, float]] = []
    for low, high in sorted(intervals):
        if result and result[-1][1] >= low:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def truncated_to(category: int, *, negative_fractions: bool) -> tuple[float, float]:
    """The float32 that become ``category`` where a library cuts the fraction off: ]above, up to].

    ``negative_fractions`` says whether ]-1, 0[ becomes 0 too, as C's conversion has it.
    """
    low = -1.0 if category == 0 and negative_fractions else float(before(np.array(float(category))))
    return low, float(before(np.array(category + 1.0)))


def check_categories(values: Sequence[int], *, where: str) -> list[int]:
    """Numbers that are categories; `ConversionError` where float32 can't hold one, so that it would be taken for another."""
    wrong = next((value for value in values if int(np.float32(value)) != value), None)
    if wrong is not None:
        raise ConversionError(
            "a category that float32 can't hold",
            where=where,
            expected="whole numbers up to 16777216 (2^24)",
            found=str(wrong),
            advice="Number the categories from 0, with OrdinalEncoder for example.",
        )
    return list(values)


def exactly(value: float) -> tuple[float, float]:
    """The one float32 that is ``value``, which float32 holds: ]above, up to]."""
    return float(before(np.array(float(value)))), float(value)


def equal_to(value: float) -> tuple[float, float] | None:
    """The one float32 that equals ``value``, or None where no float32 does."""
    if float(np.float32(value)) != value:
        return None
    return float(before(np.array(value))), value
